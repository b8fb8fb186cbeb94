"""The chat is told of a silent bot over real HTTP, whatever its server does; no secret shows."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import orjson
import pytest
from aiohttp import ClientSession

from external_layers.bot_watch import FILE, BotWatch
from external_layers.chat import Chat, ChatAddress, chat_address
from external_layers.health import Report
from external_layers.loops import Loops
from external_layers.metrics import metrics_registry
from external_layers.service import Sidecar
from scalp_strategy.errors import ConfigError
from scalp_strategy.settings import Settings
from tests.support.provider_server import (
    ProviderServer,
    closed,
    html,
    never,
    ok,
    provider_server,
    raw,
    status,
)
from tests.support.simulated_time import SimulatedClock, simulate
from tests.unit.external_layers.sidecar_parts import (
    BTC,
    CLOSE_MS,
    START,
    app_of,
    idle_sidecar,
    served,
)

LIMIT_S = 1_800
KEY = "123456789:AAE-secret_of_the_test"
CHAT = "-1002003004005"
PATH = f"/bot{KEY}/sendMessage"
TAKEN = ok({"ok": True, "result": {"message_id": 1}})


def slow_down(seconds: int) -> object:
    return raw(
        orjson.dumps(
            {
                "ok": False,
                "error_code": 429,
                "description": f"Too Many Requests: retry after {seconds}",
                "parameters": {"retry_after": seconds},
            }
        ),
        429,
    )


class House:
    """The watch with its jobs running, its chat at a server of the test's."""

    def __init__(self, server: ProviderServer, folder: Path, session: ClientSession) -> None:
        self.server, self.folder, self._session = server, folder, session
        self._clock = SimulatedClock()
        self.start()

    def start(self) -> None:
        chat = Chat(self._session, ChatAddress(self.server.url, KEY, CHAT), 10.0)
        self.watch = BotWatch(
            self.folder / FILE, Settings(), self._clock.timing(), lambda *_: None, chat
        )
        self.loops = Loops(self._clock.now_ms)
        self.loops.every(self.watch.look_s, "bot", self.watch.look)
        self.loops.whenever(self.watch.until_untold, "chat", self.watch.tell_chat)

    async def stop(self) -> None:
        await self.loops.stop()
        await self.watch.stop()

    async def falls_silent(self) -> None:
        self.watch.asked_for_scores(CLOSE_MS)
        await asyncio.sleep(LIMIT_S + 10)

    async def comes_back(self) -> None:
        self.watch.asked_for_scores(CLOSE_MS)
        await asyncio.sleep(10)

    @property
    def texts(self) -> list[str]:
        return [orjson.loads(each.body)["text"] for each in self.server.requests]

    @property
    def marks(self) -> str:
        return "".join(text[0] for text in self.texts)


@asynccontextmanager
async def living(folder: Path) -> AsyncIterator[House]:
    async with provider_server() as server, ClientSession(trust_env=False) as session:
        server.on(PATH, TAKEN)
        house = House(server, folder, session)
        try:
            yield house
        finally:
            await house.stop()


def test_one_message_when_it_is_silent_and_one_when_it_is_back(tmp_path: Path) -> None:
    async def story() -> None:
        async with living(tmp_path) as house:
            await house.falls_silent()
            await asyncio.sleep(3 * LIMIT_S)
            (request,) = house.server.requests
            assert orjson.loads(request.body)["chat_id"] == CHAT
            (text,) = house.texts
            assert text.startswith("🔇 The bot is silent: last heard ")
            assert text.endswith(
                " UTC, 30 minutes ago. Open positions are not managed by the sidecar; "
                "check the bot."
            )
            await house.comes_back()
            await asyncio.sleep(60)
            assert house.marks == "🔇🔊"
            assert house.watch.report()["is_told"] is False

    simulate(story())


def test_a_restart_repeats_nothing_and_forgets_nothing(tmp_path: Path) -> None:
    async def story() -> None:
        async with living(tmp_path) as house:
            await house.falls_silent()
            for _ in range(2):
                await house.stop()
                house.start()
                await asyncio.sleep(60)
            assert house.marks == "🔇"
            await house.comes_back()
            await house.stop()
            house.start()
            await asyncio.sleep(60)
            assert house.marks == "🔇🔊"

    simulate(story())


@pytest.mark.parametrize(
    "trouble",
    [
        closed(),
        closed(b'{"ok":'),
        status(502),
        html(),
        never(),
        status(302, Location="/x"),
        raw("["),
    ],
    ids=["reset", "cut", "502", "page", "no answer", "redirect", "garbage"],
)
def test_it_is_told_when_the_network_is_back(tmp_path: Path, trouble: object) -> None:
    async def story() -> None:
        async with living(tmp_path) as house:
            house.server.on(PATH, *[trouble] * 5, TAKEN)  # type: ignore[arg-type]
            await house.falls_silent()
            assert house.watch.problem is not None
            await asyncio.sleep(120)
            assert house.server.count() == 6
            assert set(house.marks) == {"🔇"}
            assert house.watch.problem is None
            assert house.watch.report()["is_told"] is True

    simulate(story())


def test_a_pause_that_the_server_asks_for_is_kept(tmp_path: Path) -> None:
    async def story() -> None:
        async with living(tmp_path) as house:
            house.server.on(PATH, slow_down(300), TAKEN)  # type: ignore[arg-type]
            await house.falls_silent()
            await asyncio.sleep(400)
            first, second = (request.at_s for request in house.server.requests)
            assert second - first >= 300

    simulate(story())


def test_a_bot_that_is_back_before_anybody_could_be_told_is_not_told(tmp_path: Path) -> None:
    async def story() -> None:
        async with living(tmp_path) as house:
            house.server.on(PATH, closed())
            await house.falls_silent()
            await house.comes_back()
            count = house.server.count()
            house.server.on(PATH, TAKEN)
            await asyncio.sleep(LIMIT_S / 2)
            assert house.server.count() == count
            assert house.watch.problem is None

    simulate(story())


def test_a_refused_token_is_tried_again_only_now_and_then(tmp_path: Path) -> None:
    async def story() -> None:
        async with living(tmp_path) as house:
            refusal = b'{"ok": false, "description": "Unauthorized"}'
            house.server.on(PATH, status(401, refusal))
            await house.falls_silent()
            await asyncio.sleep(3_600)
            assert 2 <= house.server.count() <= 8
            assert "Unauthorized" in str(house.watch.problem)

    simulate(story())


@pytest.mark.parametrize("kind", ["closed", "unreachable", "quoted"])
def test_the_token_shows_nowhere(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    async def story() -> str:
        async with living(tmp_path) as house:
            said = orjson.dumps({"ok": False, "description": f"no chat {CHAT} for {KEY} {PATH}"})
            house.server.on(PATH, {"quoted": status(400, said)}.get(kind, closed()))
            if kind == "unreachable":
                await house.stop()
                house.server.url = "http://127.0.0.1:9"
                house.start()
            await house.falls_silent()
            assert house.watch.problem
            return repr([house.watch.report(), house.watch.problem, house.loops.states])

    caplog.set_level(logging.DEBUG)
    shown = simulate(story()) + caplog.text + (tmp_path / FILE).read_text()
    assert KEY not in shown
    assert "AAE-secret" not in shown
    assert CHAT not in shown
    assert KEY not in repr(ChatAddress("https://example.org", KEY, CHAT))


# ---- where the chat is ----


def variables(**more: str) -> dict[str, str]:
    own = {"FREQTRADE__TELEGRAM__TOKEN": KEY, "FREQTRADE__TELEGRAM__CHAT_ID": CHAT}
    return own | more


def test_the_bots_own_variables_name_the_chat() -> None:
    assert chat_address(variables()) == ChatAddress("https://api.telegram.org", KEY, CHAT)
    moved = variables(
        SCALP_TELEGRAM_URL="http://127.0.0.1:8081/", FREQTRADE__TELEGRAM__TOPIC_ID="7"
    )
    assert chat_address(moved) == ChatAddress("http://127.0.0.1:8081", KEY, CHAT, "7")


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"FREQTRADE__TELEGRAM__TOKEN": KEY},
        {"FREQTRADE__TELEGRAM__CHAT_ID": CHAT},
        variables(FREQTRADE__TELEGRAM__TOKEN=""),
        variables(FREQTRADE__TELEGRAM__ENABLED="false"),
    ],
)
def test_without_them_or_switched_off_there_is_no_chat(environment: dict[str, str]) -> None:
    assert chat_address(environment) is None


@pytest.mark.parametrize(
    "url",
    [
        "http://api.telegram.org",
        "http://10.0.0.1:8081",
        "ftp://127.0.0.1",
        "127.0.0.1:8081",
        "https://",
        "https://user:word@host",
        "https://host?a=b",
        "http://[",
    ],
)
def test_an_address_that_would_give_the_token_away_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="SCALP_TELEGRAM_URL"):
        chat_address(variables(SCALP_TELEGRAM_URL=url))


def test_a_token_that_is_none_is_refused_and_not_quoted() -> None:
    with pytest.raises(ConfigError) as error:
        chat_address(
            {"FREQTRADE__TELEGRAM__CHAT_ID": CHAT, "FREQTRADE__TELEGRAM__TOKEN": "12:se/cr et"}
        )
    assert "12:se" not in str(error.value)


# ---- in the service ----


@pytest.fixture
def sidecar(tmp_path: Path) -> Iterator[Sidecar]:
    with idle_sidecar(tmp_path) as (sidecar, _):
        yield sidecar


def test_only_a_question_as_of_a_close_is_the_bots(sidecar: Sidecar) -> None:
    with served(app_of(sidecar)) as url, httpx.Client(base_url=url) as client:
        for path in ("/v1/scores?pairs=" + BTC, "/v1/pairs", "/v1/events", "/v1/health", "/"):
            client.get(path)
        assert client.get("/v1/health").json()["bot"]["last_heard_ms"] is None
        client.get("/v1/scores", params={"pairs": BTC, "at": START})
        assert client.get("/v1/health").json()["bot"]["last_heard_ms"] == START
        assert "scalp_bot_heard_age_seconds 0.0" in client.get("/metrics").text


def test_silence_is_an_event_and_a_problem_and_a_metric(sidecar: Sidecar) -> None:
    sidecar.bot.look_s = float(LIMIT_S)  # one look is enough
    sidecar.bot.asked_for_scores(CLOSE_MS)
    sidecar.bot._looked_s -= LIMIT_S
    asyncio.run(sidecar.bot.look())
    health = Report(sidecar).health()
    assert health["bot"]["is_silent"] is True
    assert health["bot"]["has_chat"] is False
    assert any(text.startswith("The bot is silent") for text in health["problems"])
    assert [event.kind for event in sidecar.events.after(0, 9)] == ["bot_silent"]
    metric = metrics_registry(sidecar).get_sample_value("scalp_bot_silent")
    assert metric == 1.0

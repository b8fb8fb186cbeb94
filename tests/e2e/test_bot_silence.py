"""The real sidecar tells of a silent bot once, and of its return, over kills and network loss."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.bot import until
from tests.support.bot_api import BotApi, running_bot_api
from tests.support.bot_api_faults import answer, cut_before, refuse
from tests.support.sidecar import RunningSidecar

KEY = "123456789:AAE-secret_of_the_test"
CHAT = 4005
SILENCE_S = 5
CANDLE_MS = 900_000
BTC = "BTC/USDT:USDT"


@dataclass
class Story:
    """What was seen while the bot was there, away, and back."""

    before: list[str]
    attempts_in_outage: int
    health_silent: dict[str, Any]
    health_back: dict[str, Any]
    told: list[str]
    events: list[dict[str, Any]]
    metrics: str
    everything: str


@pytest.fixture(scope="module")
def story(replay_market: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("silence")
    with running_bot_api() as server:
        server.add_bot(KEY, [CHAT])
        variables = {
            "FREQTRADE__SCALP__SIDECAR__BOT_SILENCE_S": str(SILENCE_S),
            "FREQTRADE__TELEGRAM__TOKEN": KEY,
            "FREQTRADE__TELEGRAM__CHAT_ID": str(CHAT),
            "SCALP_TELEGRAM_URL": server.url,
        }
        sidecar = RunningSidecar(folder / "sidecar", replay_market, [BTC], "futures", variables)
        try:
            yield play(sidecar, server)
        finally:
            sidecar.close()


def play(sidecar: RunningSidecar, server: BotApi) -> Story:
    sidecar.start()
    sidecar.components([BTC])  # not as of a close: nobody that would be missed
    ask_as_bots_do(sidecar)
    before = server.texts(KEY, CHAT)

    # It falls silent without network, and the sidecar is killed before anybody could be told.
    server.fault("sendMessage", cut_before(), count=1_000)
    until(lambda: len(server.calls_of("sendMessage")) >= 2, "it is tried again", 30)
    sidecar.kill()
    attempts = len(server.calls_of("sendMessage"))
    server.mend()
    server.fault("sendMessage", answer(502, "Bad Gateway"))
    server.fault("sendMessage", refuse(retry_after=2))
    sidecar.start()
    until(lambda: server.texts(KEY, CHAT), "the silence is told", 30, sidecar.log_path)
    until(lambda: sidecar.health()["bot"]["is_told"], "it is noted", 10, sidecar.log_path)
    health_silent = sidecar.health()

    # Killed and started while silent, then the bot is back.
    sidecar.kill()
    sidecar.start()
    ask_as_bots_do(sidecar)
    until(lambda: len(server.texts(KEY, CHAT)) > 1, "the return is told", 30, sidecar.log_path)
    ask_as_bots_do(sidecar)
    health_back, metrics = sidecar.health(), sidecar.read("/metrics")
    events = [one for one in sidecar.get("/v1/events")["events"] if one["kind"].startswith("bot_")]
    assert sidecar.terminate() == 0
    everything = sidecar.log_path.read_text() + json.dumps(health_silent) + metrics
    everything += "".join(
        path.read_text() for path in sidecar.data.iterdir() if path.suffix in {".json", ".jsonl"}
    )
    told = server.texts(KEY, CHAT)
    assert not server.early, "a pause was not kept"
    return Story(before, attempts, health_silent, health_back, told, events, metrics, everything)


def ask_as_bots_do(sidecar: RunningSidecar) -> None:
    now_ms = sidecar.health()["now_ms"]
    sidecar.get("/v1/scores", pairs=BTC, at=now_ms // CANDLE_MS * CANDLE_MS)


def test_silence_and_return_are_told_once_each_over_kills_and_no_network(story: Story) -> None:
    assert story.before == []
    assert story.attempts_in_outage >= 2
    silent, back = story.told
    assert silent.startswith("🔇 The bot is silent: last heard ")
    assert silent.endswith("Open positions are not managed by the sidecar; check the bot.")
    assert back.startswith("🔊 The bot is back: it asks again since ")


def test_it_is_an_event_too(story: Story) -> None:
    assert [event["kind"] for event in story.events] == ["bot_silent", "bot_back"]


def test_health_and_metrics_show_it(story: Story) -> None:
    silent, back = story.health_silent, story.health_back
    assert silent["bot"]["is_silent"] is True
    assert any(text.startswith("The bot is silent") for text in silent["problems"])
    assert back["bot"]["is_silent"] is False
    assert back["bot"]["last_heard_ms"] > silent["bot"]["last_heard_ms"]
    assert "scalp_bot_silent 0.0" in story.metrics
    assert "scalp_bot_heard_age_seconds" in story.metrics


def test_the_token_is_nowhere(story: Story) -> None:
    assert "AAE-secret" not in story.everything

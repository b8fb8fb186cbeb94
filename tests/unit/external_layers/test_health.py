"""The words for how the sidecar is."""

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from external_layers.health import Report
from external_layers.loops import JobState
from external_layers.service import Sidecar
from tests.unit.external_layers.sidecar_parts import (
    BTC,
    START,
    Clock,
    FeedStub,
    app_of,
    connection,
    idle_sidecar,
    served,
    stream,
)

NEW_S = 120
TRADES = "btcusdt@aggTrade"


class House:
    """A sidecar whose feed and scanner say what the test wants."""

    def __init__(self, sidecar: Sidecar, clock: Clock) -> None:
        self.sidecar, self.clock = sidecar, clock
        self.report = Report(sidecar)
        self.feed = FeedStub(**{TRADES: {}})
        sidecar.feeds["futures"] = self.feed  # type: ignore[assignment]
        sidecar.watch.watch({"BTCUSDT": BTC})
        sidecar.scan = scan(shortage=None)
        clock.ms = START + NEW_S * 1_000 + 1
        self.hears()

    def hears(self) -> None:
        self.feed.streams[TRADES] = stream(last_ms=self.clock.ms)
        self.sidecar.publisher.published_ms = self.clock.ms

    @property
    def health(self) -> dict[str, Any]:
        return self.report.health()

    @property
    def status(self) -> str:
        return self.health["status"]


def scan(shortage: str | None, metrics: Any = None) -> Any:
    metrics = {BTC: None} if metrics is None else metrics
    rest = {"at_ms": START, "active": (BTC,), "failed": {}, "dropped": {}, "samples": {}}
    return SimpleNamespace(shortage=shortage, metrics=metrics, weight=5, **rest)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with idle_sidecar(tmp_path) as (sidecar, clock):
        yield House(sidecar, clock)


def test_ok_is_when_nothing_is_wrong(house: House) -> None:
    assert (house.status, house.health["problems"]) == ("ok", [])


def fail_job(house: House) -> None:
    house.sidecar.loops.states["scanner"] = JobState("scanner", "no answer", 1)


def silence(house: House) -> None:
    house.feed.streams["btcusdt@depth@100ms"] = stream(is_silent=True)


def refuse(house: House) -> None:
    house.feed.streams["btcusdt@depth@100ms"] = stream(is_refused=True)


def lose_one(house: House) -> None:
    house.feed.connections.append(connection(number=1, since_ms=None, is_settled=False))


def run_short(house: House) -> None:
    house.sidecar.scan = scan("3 of 20 pairs")


def be_late(house: House) -> None:
    house.sidecar.publisher.published_ms -= 60_000


@pytest.mark.parametrize(
    ("trouble", "word"),
    [
        (fail_job, "scanner"),
        (silence, "silent"),
        (refuse, "refused"),
        (lose_one, "connections are down"),
        (run_short, "3 of 20"),
        (be_late, "old"),
    ],
)
def test_trouble_is_degraded_and_told(
    house: House, trouble: Callable[[House], None], word: str
) -> None:
    trouble(house)
    health = house.health
    assert health["status"] == "degraded"
    assert len(health["problems"]) == 1
    assert word in health["problems"][0]


def lose_all(house: House) -> None:
    house.feed.connections[:] = [connection(since_ms=None, is_settled=False)]


def hear_nothing(house: House) -> None:
    """The connections stand and nothing comes: what a wrong address does."""
    house.feed.streams[TRADES] = stream(last_ms=house.clock.ms - 61_000)


def never_hear(house: House) -> None:
    house.feed.streams[TRADES] = stream(last_ms=None)


def find_no_market(house: House) -> None:
    house.feed.streams.clear()
    house.sidecar.scan = scan("the market list is not known yet", {})


def find_nothing_yet(house: House) -> None:
    house.feed.streams.clear()
    house.sidecar.scan = None


NOTHING_COMES = [lose_all, hear_nothing, never_hear, find_no_market, find_nothing_yet]


@pytest.mark.parametrize("trouble", NOTHING_COMES)
def test_nothing_from_the_exchange_is_down(house: House, trouble: Callable[[House], None]) -> None:
    trouble(house)
    assert house.status == "down"


@pytest.mark.parametrize("trouble", [*NOTHING_COMES, fail_job, silence])
def test_in_the_first_minutes_everything_is_starting(
    house: House, trouble: Callable[[House], None]
) -> None:
    house.clock.ms = START + NEW_S * 1_000 - 1
    house.hears()
    trouble(house)
    assert house.status == "starting"


def test_a_market_in_which_no_pair_qualifies_is_not_down(house: House) -> None:
    house.feed.streams.clear()
    house.sidecar.scan = scan("0 of 20 pairs")
    assert house.status == "degraded"


def test_a_corrected_clock_does_not_make_the_sidecar_young_again(house: House) -> None:
    """The machine's clock was an hour ahead until the exchange told its time."""
    house.sidecar.started_ms += 3_600_000
    lose_all(house)
    assert house.status == "down"


def test_only_down_is_a_failing_answer(house: House) -> None:
    with served(app_of(house.sidecar)) as url:
        fail_job(house)
        house.clock.ms += 1  # the report of the server is new
        answer = httpx.get(f"{url}/v1/health")
        assert (answer.status_code, answer.json()["status"]) == (200, "starting")
        house.clock.ms += NEW_S * 1_000
        house.hears()
        assert httpx.get(f"{url}/v1/health").json()["status"] == "degraded"
        lose_all(house)
        answer = httpx.get(f"{url}/v1/health")
        assert (answer.status_code, answer.json()["status"]) == (503, "down")


def test_a_long_list_of_names_is_cut(house: House) -> None:
    for number in range(40):
        house.feed.streams[f"s{number}"] = stream(is_silent=True)
    assert "and 35 more" in house.health["problems"][0]


def test_a_channel_of_which_nothing_is_understood_is_a_problem(house: House) -> None:
    for number in range(5):
        house.sidecar.watch.on_frame(
            "futures", b'{"stream":"btcusdt@aggTrade","data":{"renamed":1}}', START + number
        )
    assert any("no message of aggTrade is understood" in each for each in house.health["problems"])


def test_a_component_that_stays_unknown_for_all_pairs_is_a_problem(house: House) -> None:
    house.clock.ms = START + 1_800_000 + 1
    house.hears()
    house.sidecar.timeline.add(house.sidecar.watch.components("BTCUSDT", house.clock.ms))
    (problem,) = [each for each in house.health["problems"] if each.startswith("unknown")]
    assert "trade_flow" in problem

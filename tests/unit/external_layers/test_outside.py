"""The outside sources in a sidecar: what they tell becomes rows and events, each once."""

import asyncio
import math
import threading
from pathlib import Path

import orjson
import pytest
from prometheus_client import generate_latest

from external_layers.health import Report
from external_layers.metrics import metrics_registry
from external_layers.outside import LAYERS_FILE
from external_layers.service import Sidecar
from external_layers.sources.facts import Fact, Party, Transfer, Watched
from external_layers.sources.registry import SOURCES
from scalp_strategy.contract import CANDLE_MS, MARKET_WIDE
from scalp_strategy.errors import StoreError
from tests.unit.external_layers.sidecar_parts import BTC, ETH, START, Clock, idle_sidecar

ETHERSCAN = next(source.spec for source in SOURCES if source.spec.name == "etherscan")
PEPE = "1000PEPE/USDT:USDT"


def whale(token: str, usd: float, at_ms: int, number: int = 0) -> Transfer:
    ends = Party("exchange", "Kraken", "0xk"), Party("wallet", "unknown wallet", "0xw")
    return Transfer(token, usd, usd, *ends, "ethereum", f"0x{number:064x}", at_ms, at_ms)


def watched(sidecar: Sidecar) -> None:
    sidecar.watch.watch({"BTCUSDT": BTC, "ETHUSDT": ETH, "1000PEPEUSDT": PEPE})


def candle(sidecar: Sidecar, pair: str, close: float, open_ms: int) -> None:
    row = (open_ms, close, close, close, close, 1.0)
    sidecar.watch.watches[pair].shelves["1m"].add(row)


async def publish(sidecar: Sidecar) -> None:
    await sidecar.publisher.publish()
    await sidecar.outside.tell_waiting()


def deliver(sidecar: Sidecar, *facts: Fact) -> None:
    sidecar.outside._deliver(ETHERSCAN, facts)


def test_a_whale_is_an_event_once_and_a_row_of_its_pair(tmp_path: Path) -> None:
    with idle_sidecar(tmp_path) as (sidecar, _):
        watched(sidecar)
        moved = whale("ETH", 2_300_000.0, START - 60_000)
        deliver(sidecar, Watched("transfers", "ETH", "etherscan", START, START), moved, moved)
        asyncio.run(publish(sidecar))
        (event,) = [each for each in sidecar.events.after(0, 100) if each.kind == "whale"]
        assert event.text == "$2.3M ETH withdrawn: Kraken -> unknown wallet"
        assert event.pair == ETH
        assert event.data["direction"] == "withdrawal"
        assert event.data["amount_usd"] == 2_300_000.0
        known = {one.name: one for one in sidecar.timeline.as_of(ETH, START)}
        assert known["whale_movements"].long == sidecar.settings.onchain.withdrawal_score
        assert known["whale_movements"].reason == "$2.3M ETH withdrawn from Kraken 1 min ago"
        layers = sidecar.answers.layers(ETH)
        assert set(layers) == {"orderflow", "onchain", "sentiment"}
        assert layers["onchain"]["long"] > 50.0


def test_what_is_listed_by_the_thousand_is_priced_by_the_piece(tmp_path: Path) -> None:
    with idle_sidecar(tmp_path) as (sidecar, _):
        watched(sidecar)
        candle(sidecar, PEPE, 0.012, START - 60_000)
        assert sidecar.outside.pairs()[PEPE] == "PEPE"
        assert sidecar.outside.price("PEPE") == pytest.approx(0.000012)
        assert sidecar.outside.price("USDT") == 1.0
        assert sidecar.outside.price("NOBODY") != sidecar.outside.price("NOBODY")  # NaN


def test_a_pair_without_candles_yet_is_priced_as_it_is_listed(tmp_path: Path) -> None:
    """A transfer that cannot be valued when it is told is never told again."""
    with idle_sidecar(tmp_path) as (sidecar, _):
        watched(sidecar)
        sidecar.outside._listed_price = {"ETH": 3_000.0}.__getitem__
        assert sidecar.outside.price("ETH") == 3_000.0


def test_a_failing_source_is_told_when_it_fails_and_when_it_works(tmp_path: Path) -> None:
    with idle_sidecar(tmp_path) as (sidecar, _):
        sidecar.outside._on_change("gdelt", "status 500")
        sidecar.outside._on_change("gdelt", None)
        asyncio.run(sidecar.outside.tell_waiting())
        told = [(each.kind, each.text) for each in sidecar.events.after(0, 10)]
        assert told == [
            ("source_failed", "gdelt: status 500"),
            ("source_recovered", "gdelt: works again"),
        ]


def test_a_restart_remembers_the_whale_and_does_not_tell_it_again(tmp_path: Path) -> None:
    moved = whale("ETH", 5e6, START - 60_000)
    facts = (Watched("transfers", "ETH", "etherscan", START, START), moved)
    with idle_sidecar(tmp_path) as (sidecar, _):
        watched(sidecar)
        deliver(sidecar, *facts)
        asyncio.run(sidecar.outside.tell_waiting())
        asyncio.run(sidecar.outside.save())
    with idle_sidecar(tmp_path) as (sidecar, _):
        watched(sidecar)
        deliver(sidecar, *facts)
        asyncio.run(publish(sidecar))
        whales = [each for each in sidecar.events.after(0, 100) if each.kind == "whale"]
        assert len(whales) == 1
        known = {one.name: one for one in sidecar.timeline.as_of(ETH, START)}
        assert known["whale_movements"].long == sidecar.settings.onchain.withdrawal_score


@pytest.mark.parametrize("is_told", [False, True])
def test_a_kill_around_the_telling_loses_no_whale_and_doubles_none(
    tmp_path: Path, is_told: bool
) -> None:
    """Remembered as not told: after a kill it is told then, unless the event log has it."""
    moved = whale("ETH", 5e6, START - 60_000)
    with idle_sidecar(tmp_path) as (sidecar, _):
        watched(sidecar)
        deliver(sidecar, moved)
        asyncio.run(sidecar.outside.save())
        if is_told:
            sidecar.outside._tell_all(list(sidecar.outside._waiting))
    with idle_sidecar(tmp_path) as (sidecar, _):
        watched(sidecar)
        deliver(sidecar, moved)  # the source tells it again
        asyncio.run(sidecar.outside.tell_waiting())
        assert [each.kind for each in sidecar.events.after(0, 100)] == ["whale"]
        asyncio.run(sidecar.outside.save())
    with idle_sidecar(tmp_path) as (sidecar, _):
        assert not sidecar.outside._waiting


@pytest.mark.parametrize("content", [b"", b"{", b'{"version": 99}', b"[1]"])
def test_a_damaged_memory_is_left_and_the_sidecar_starts(tmp_path: Path, content: bytes) -> None:
    (tmp_path / LAYERS_FILE).write_bytes(content)
    with idle_sidecar(tmp_path) as (sidecar, _):
        asyncio.run(sidecar.outside.save())
    assert orjson.loads((tmp_path / LAYERS_FILE).read_bytes())["version"] == 1


def test_health_names_every_source_and_what_is_lost_without_it(tmp_path: Path) -> None:
    with idle_sidecar(tmp_path) as (sidecar, _):
        health = Report(sidecar).health()
        sources = health["sources"]
        assert set(sources) == {source.spec.name for source in SOURCES}
        off = sources["etherscan"]
        assert (off["is_on"], off["problem"]) == (False, None)
        assert "ETHERSCAN_API_KEY" in off["why_off"]
        # Nobody else gives fear & greed: 0.2 of a layer that weighs 0.1.
        assert sources["fear_greed"]["lost_without"] == pytest.approx(0.02)
        assert sources["mempool_space"]["lost_without"] == 0.0
        assert sources["fear_greed"]["age_s"] is None
        assert not any(text.startswith("source ") for text in health["problems"])


def test_health_and_metrics_count_what_nobody_can_value(tmp_path: Path) -> None:
    with idle_sidecar(tmp_path) as (sidecar, _):
        deliver(sidecar, whale("NOBODY", math.nan, START))
        assert Report(sidecar).health()["scores"]["unvalued_transfers"] == 1
        told = generate_latest(metrics_registry(sidecar)).decode()
        assert "scalp_transfers_unvalued_total 1.0" in told


def test_the_mood_is_told_at_every_full_hour(tmp_path: Path) -> None:
    with idle_sidecar(tmp_path) as (sidecar, clock):
        watched(sidecar)
        for _ in range(9):
            asyncio.run(publish(sidecar))
            clock.ms += CANDLE_MS
        told = [each for each in sidecar.events.after(0, 100) if each.kind == "sentiment"]
        assert len(told) == 2
        assert set(told[0].data) == {"fear_greed", "btc_dominance", "social", "regime", "macro"}
        assert math.isnan(told[0].data["fear_greed"])  # unknown, not zero


def test_rows_for_the_whole_market_are_at_hand(tmp_path: Path) -> None:
    def names(sidecar: Sidecar, clock: Clock) -> set[str]:
        return {one.name for one in sidecar.timeline.as_of(MARKET_WIDE, clock.ms)}

    with idle_sidecar(tmp_path) as (sidecar, clock):
        asyncio.run(publish(sidecar))
        assert names(sidecar, clock) >= {
            "stablecoin_flow",
            "fear_greed",
            "social_sentiment",
            "market_regime",
            "macro_correlation",
        }


def test_a_kill_after_the_telling_does_not_tell_a_whale_twice(tmp_path: Path) -> None:
    moved = whale("ETH", 5e6, START - 60_000)
    for _ in range(2):
        with idle_sidecar(tmp_path) as (sidecar, _):  # ends without a saving of its own
            deliver(sidecar, moved)
            asyncio.run(sidecar.outside.tell_waiting())
            whales = [each for each in sidecar.events.after(0, 100) if each.kind == "whale"]
            assert len(whales) == 1


def test_what_is_being_told_when_the_sidecar_stops_is_told_to_the_end(tmp_path: Path) -> None:
    may_go_on = threading.Event()
    told: list[object] = []
    told_before_saving: list[int] = []

    def tell(*event: object) -> None:
        may_go_on.wait(10)
        told.append(event)

    async def save() -> None:
        told_before_saving.append(len(told))

    async def stopped_while_telling(sidecar: Sidecar) -> None:
        for number in range(3):
            sidecar.outside._on_change(f"source {number}", "down")
        job = asyncio.create_task(sidecar.outside.tell_waiting())
        await asyncio.sleep(0)
        job.cancel()
        await asyncio.gather(job, return_exceptions=True)
        asyncio.get_running_loop().call_later(0.1, may_go_on.set)
        await sidecar.outside.stop()

    with idle_sidecar(tmp_path) as (sidecar, _):
        sidecar.outside._tell, sidecar.outside.save = tell, save  # type: ignore[method-assign]
        asyncio.run(stopped_while_telling(sidecar))
        assert told_before_saving == [3]


@pytest.mark.parametrize(("ahead_ms", "is_kept"), [(600_000, True), (600_001, False)])
def test_a_memory_of_a_time_to_come_is_forgotten(
    tmp_path: Path, ahead_ms: int, is_kept: bool
) -> None:
    """This machine's clock was ahead: nothing would be known until time has caught up."""
    moved = whale("ETH", 5e6, START)
    with idle_sidecar(tmp_path, START + ahead_ms) as (sidecar, _):
        deliver(sidecar, moved)
        asyncio.run(sidecar.outside.tell_waiting())
        asyncio.run(sidecar.outside.save())
    with idle_sidecar(tmp_path, START) as (sidecar, _):
        sidecar.outside.check_memory()
        deliver(sidecar, moved)
        is_new = bool(sidecar.outside._waiting)
        assert is_new != is_kept


def test_a_full_disk_does_not_keep_the_sidecar_from_ending(tmp_path: Path) -> None:
    with idle_sidecar(tmp_path) as (sidecar, _):
        (tmp_path / LAYERS_FILE).mkdir()  # cannot be replaced by a file
        with pytest.raises(StoreError):
            asyncio.run(sidecar.outside.save())
        asyncio.run(sidecar.outside.stop())

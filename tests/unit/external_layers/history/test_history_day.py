"""One day from files equals the live layer fed by hand, and never looks ahead."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from external_layers.binance.messages import AggTrade, MarkPrice, OpenInterest
from external_layers.history.day import (
    BAND,
    SETTLED,
    Fed,
    Grid,
    day_components,
    known_shares,
    unknown_components,
)
from external_layers.history.day_inputs import DayInputs, DayReader
from external_layers.history.dumps import DumpKind, dump_path, instrument_of
from external_layers.history.files import DumpFiles
from external_layers.history.source import FolderSource
from external_layers.orderflow.pair_flow import PairFlow, memory_s
from scalp_strategy.contract import Component, to_wire
from scalp_strategy.contract.archive import day_of, day_start_ms
from scalp_strategy.setting_groups.history import BackfillSettings
from scalp_strategy.setting_groups.orderflow import OrderFlowSettings
from tests.support.dumps import (
    KLINE_HEADER,
    METRICS_HEADER,
    PAIR,
    SYMBOL,
    TRADE_HEADER,
    day_number,
    funding_lines,
    kline_lines,
    metrics_lines,
    trade_lines,
    write_days,
    write_dump,
)

FLOW = OrderFlowSettings()
GRID = Grid(900_000, 500)
DELAYS = BackfillSettings()
DAYS = [day_number(0), day_number(1)]


@pytest.fixture(scope="module")
def dumps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_days(tmp_path_factory.mktemp("dumps"), DAYS)


def read(root: Path, number: int) -> DayInputs:
    reader = DayReader(DumpFiles(FolderSource(root)), DELAYS, memory_s(FLOW))
    return reader.read(instrument_of(PAIR), day_number(number))


def made(root: Path, number: int) -> tuple[list[Component], Fed]:
    instants = GRID.instants(day_number(number))
    flow = PairFlow(PAIR, FLOW)
    return day_components(flow, SYMBOL, read(root, number), instants, DELAYS.trade_delay_ms)


def by_hand() -> list[Component]:
    """The second day, every event of both days sorted by when it could be known."""
    flow, found = PairFlow(PAIR, FLOW), []
    events: list[tuple[int, int, object]] = [(at, 2, at) for at in GRID.instants(DAYS[1])]
    for line in trade_lines(DAYS[0]) + trade_lines(DAYS[1]):
        id_, price, quantity, _, _, time, is_maker = line.split(",")
        trade = AggTrade(
            symbol=SYMBOL, id=int(id_), price=float(price), quantity=float(quantity),
            time_ms=int(time), is_buyer_maker=is_maker == "true", event_ms=int(time),
        )  # fmt: skip
        events.append((trade.time_ms + 100, 0, trade))
    for day in DAYS:
        for number, line in enumerate(reversed(metrics_lines(day)), start=1):
            at = day_start_ms(day) + 300_000 * number
            amount = float(line.split(",")[2])
            reading = OpenInterest(symbol=SYMBOL, time_ms=at, quantity=amount)
            events.append((at + 60_000, 1, reading))
    for line in funding_lines(DAYS):
        at, _, rate = line.split(",")
        mark = MarkPrice(
            symbol=SYMBOL, event_ms=int(at), mark=1.0, index=1.0,
            funding_rate=float(rate), next_funding_ms=0,
        )  # fmt: skip
        events.append((int(at) + 60_000, 1, mark))
    for _, _, event in sorted(events, key=lambda one: one[:2]):
        match event:
            case AggTrade():
                flow.on_trade(event)
            case OpenInterest():
                flow.on_open_interest(event)
            case MarkPrice():
                flow.on_mark_price(event)
            case int():
                found += flow.components(event)
    return [replace(one, flags=(SETTLED,)) if one.name == "funding_rate" else one for one in found]


def wired(components: list[Component]) -> list[object]:
    return [to_wire(one) for one in components]


def test_a_day_equals_the_layer_fed_by_hand_from_the_day_before(dumps: Path) -> None:
    components, fed = made(dumps, 1)
    assert wired(components) == wired(by_hand())
    assert len(components) == 96 * 6
    assert fed.trades > len(trade_lines(DAYS[1]))
    assert fed.gaps == 0


def test_what_files_cannot_give_stays_unknown(dumps: Path) -> None:
    known = known_shares(made(dumps, 1)[0])
    assert known["book_imbalance"] == known["vanishing_liquidity"] == 0.0
    assert known["funding_rate"] == known["open_interest"] == 1.0
    assert known["trade_flow"] > 0.9
    assert unknown_components(read(dumps, 1).day_kinds) == [
        "book_imbalance", "vanishing_liquidity",
    ]  # fmt: skip


def test_rows_lie_in_their_day_and_before_the_close(dumps: Path) -> None:
    components, _ = made(dumps, 1)
    assert {day_of(one.available_at_ms) for one in components} == {DAYS[1]}
    assert {one.available_at_ms % 900_000 for one in components} == {899_500}
    assert all(one.observed_at_ms <= one.available_at_ms for one in components)


def test_the_first_day_starts_cold_and_says_so(dumps: Path) -> None:
    inputs = read(dumps, 0)
    missing = f"{SYMBOL}-aggTrades-{day_number(-1)}.zip"
    assert missing in inputs.missing
    first = [one for one in made(dumps, 0)[0] if one.name == "trade_flow"]
    assert first[0].is_known  # quarter past midnight: the window has filled
    midnight = Grid(60_000, 0).instants(DAYS[0])[1:2]
    flow = PairFlow(PAIR, FLOW)
    early, _ = day_components(flow, SYMBOL, inputs, midnight, 100)
    assert not any(one.is_known for one in early if one.name == "trade_flow")


@pytest.mark.parametrize("hour", [3, 17])
def test_what_comes_later_changes_nothing_before(dumps: Path, tmp_path: Path, hour: int) -> None:
    cut_ms = day_start_ms(DAYS[1]) + hour * 3_600_000
    write_days(tmp_path, DAYS)
    trades = [line for line in trade_lines(DAYS[1]) if int(line.split(",")[5]) < cut_ms]
    write_dump(tmp_path, DumpKind.AGG_TRADES, DAYS[1], [TRADE_HEADER, *trades])
    clock = f"{DAYS[1]} {hour:02d}:00:00"
    readings = [line for line in metrics_lines(DAYS[1]) if line.split(",")[0] < clock]
    write_dump(tmp_path, DumpKind.METRICS, DAYS[1], [METRICS_HEADER, *readings])
    whole, cut = made(dumps, 1)[0], made(tmp_path, 1)[0]

    def before(components: list[Component]) -> list[object]:
        return wired([one for one in components if one.available_at_ms < cut_ms])

    assert before(cut) == before(whole)
    assert wired(cut) != wired(whole)


def test_candles_stand_in_for_missing_trades(dumps: Path, tmp_path: Path) -> None:
    write_days(tmp_path, DAYS)
    (tmp_path / dump_path(instrument_of(PAIR), DumpKind.AGG_TRADES, DAYS[1])).unlink()
    write_dump(tmp_path, DumpKind.KLINES_1M, DAYS[1], [KLINE_HEADER, *kline_lines(DAYS[1])])
    components, fed = made(tmp_path, 1)
    known = known_shares(components)
    assert known["large_orders"] == 0.0
    assert known["trade_flow"] > 0.9
    assert "large_orders" in unknown_components(read(tmp_path, 1).day_kinds)
    assert fed.gaps == 0


def test_a_hole_in_the_ids_is_a_gap(dumps: Path, tmp_path: Path) -> None:
    write_days(tmp_path, DAYS)
    start = day_start_ms(DAYS[1]) + 3_600_000
    lost = range(start - 290_000, start - 10_000)
    kept = [line for line in trade_lines(DAYS[1]) if int(line.split(",")[5]) not in lost]
    assert len(kept) < len(trade_lines(DAYS[1]))
    write_dump(tmp_path, DumpKind.AGG_TRADES, DAYS[1], [TRADE_HEADER, *kept])
    components, fed = made(tmp_path, 1)
    assert fed.gaps == 1
    unknown = [
        one.available_at_ms for one in components if one.name == "trade_flow" and not one.is_known
    ]
    assert start - 500 in unknown


def test_a_day_without_trades_or_candles_has_no_flow(dumps: Path) -> None:
    assert read(dumps, 1).has_flow
    later = read(dumps, 2)
    assert not later.has_flow
    assert f"{SYMBOL}-1m-{day_number(2)}.zip" in later.missing


def test_memory_longer_than_a_day_reads_more_days(dumps: Path) -> None:
    memory = int(timedelta(days=1, hours=6).total_seconds())
    reader = DayReader(DumpFiles(FolderSource(dumps)), DELAYS, memory)
    inputs = reader.read(instrument_of(PAIR), DAYS[1])
    assert f"{SYMBOL}-aggTrades-{day_number(-1)}.zip" in inputs.missing
    assert len(inputs.trades) == 2
    assert len(inputs.trades[0]) == len(trade_lines(DAYS[0]))


@pytest.mark.parametrize(
    ("every_ms", "lead_ms", "count", "first"),
    [(900_000, 500, 96, 899_500), (900_000, 0, 96, 0), (15_000, 500, 5_760, 14_500)],
)
def test_the_grid_of_a_day(every_ms: int, lead_ms: int, count: int, first: int) -> None:
    instants = Grid(every_ms, lead_ms).instants(DAYS[0])
    start = day_start_ms(DAYS[0])
    assert len(instants) == count
    assert instants[0] - start == first
    assert all(start <= at < start + 86_400_000 for at in instants)


def band_lines(day_number_: int, bids: float, asks: float) -> list[str]:
    at = f"{day_number(day_number_).isoformat()} 10:29:30"
    near = [f"{at},-1.00,{bids},0", f"{at},1.00,{asks},0"]
    return [*near, f"{at},-5.00,{asks},0", f"{at},5.00,{bids},0"]


def test_bands_stand_for_the_book_only_when_asked_to_and_are_flagged(tmp_path: Path) -> None:
    root = write_days(tmp_path, DAYS)
    lines = ["timestamp,percentage,depth,notional", *band_lines(1, 60.0, 40.0)]
    write_dump(root, DumpKind.BOOK_DEPTH, day_number(1), lines)
    flow, instants = PairFlow(PAIR, FLOW), GRID.instants(day_number(1))
    bands = BackfillSettings(book_from_bands=True)
    reader = DayReader(DumpFiles(FolderSource(root)), bands, memory_s(FLOW))
    inputs = reader.read(instrument_of(PAIR), day_number(1))
    found, _ = day_components(flow, SYMBOL, inputs, instants, DELAYS.trade_delay_ms)
    books = {one.available_at_ms: one for one in found if one.name == "book_imbalance"}
    seen = day_start_ms(day_number(1)) + (10 * 60 + 29) * 60_000 + 30_000
    after = seen + 30_000 - 500
    before = after - 900_000
    assert not books[before].is_known
    assert (books[after].long, books[after].observed_at_ms) == (70.0, seen)
    assert books[after].flags == (BAND,)
    without = {one.name for one in made(root, 1)[0] if one.is_known}
    assert "book_imbalance" not in without

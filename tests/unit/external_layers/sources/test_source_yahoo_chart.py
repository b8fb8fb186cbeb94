"""Yahoo's chart: bars as of their ends, and one symbol without the other."""

import asyncio
import copy
import json
from typing import Any

import pytest

from external_layers.sources.facts import DOLLAR_INDEX_NOW, SP500_NOW
from external_layers.sources.parts import PartsMissing
from external_layers.sources.yahoo_chart import fetch, parse
from scalp_strategy.errors import PayloadError, RateLimited, SourceUnavailable
from tests.support.asked import NOW_MS, ScriptedClient, context_of
from tests.support.recorded import recorded
from tests.support.source_samples import SAMPLES

NOW_S = NOW_MS // 1_000


def chart(
    bars: list[tuple[Any, Any]], *, symbol: Any = "ES=F", traded: Any = NOW_S, price: Any = 7_000.0
) -> dict[str, Any]:
    meta = {"symbol": symbol, "regularMarketTime": traded, "regularMarketPrice": price}
    quote = [{"close": [close for _, close in bars]}]
    result = {"meta": meta, "timestamp": [start for start, _ in bars]}
    return {"chart": {"result": [result | {"indicators": {"quote": quote}}], "error": None}}


def read(payload: Any) -> list[tuple[int, float]]:
    return [(one.observed_at_ms - NOW_MS, one.value) for one in parse(payload, NOW_MS)]


def test_a_bar_is_of_its_end_and_the_last_of_the_last_trade() -> None:
    bars = [(NOW_S - 900, 10.0), (NOW_S - 600, 11.0), (NOW_S - 100, 12.0)]
    found = read(chart(bars, traded=NOW_S - 20))
    assert found == [(-600_000, 10.0), (-300_000, 11.0), (-20_000, 12.0)]


def test_a_closed_markets_last_bar_is_not_dated_past_its_last_trade() -> None:
    assert read(chart([(NOW_S - 90_000, 10.0)], traded=NOW_S - 90_000)) == [(-90_000_000, 10.0)]


def test_holes_are_left_out() -> None:
    bars = [(NOW_S - 900, None), (NOW_S - 600, 11.0), ("x", 9.0), (NOW_S + 9_000, 9.0)]
    assert read(chart(bars)) == [(-300_000, 11.0)]


def test_three_hours_are_kept() -> None:
    bars = [(NOW_S - 300 * count, float(count)) for count in range(100, 0, -1)]
    found = read(chart(bars))
    assert (len(found), found[-1]) == (36, (0, 1.0))


def test_without_bars_the_last_trade_is_told() -> None:
    assert read(chart([], traded=NOW_S - 60)) == [(-60_000, 7_000.0)]


def test_the_symbol_says_which_series_it_is() -> None:
    (dollar,) = parse(chart([], symbol="DX-Y.NYB"), NOW_MS)
    assert (dollar.series, dollar.subject) == (DOLLAR_INDEX_NOW, "yahoo_chart")


@pytest.mark.parametrize(
    "payload",
    [
        None, {}, {"chart": None}, {"chart": {"result": None, "error": {"code": "Not Found"}}},
        {"chart": {"result": []}}, chart([], symbol="AAPL"), chart([], symbol=["ES=F"]),
        chart([], price=None), chart([], price=-1), chart([], traded=None),
    ],
)  # fmt: skip
def test_what_is_no_answer(payload: Any) -> None:
    with pytest.raises(PayloadError, match="yahoo_chart"):
        parse(payload, NOW_MS)


def test_one_series_without_the_other() -> None:
    dollar = copy.deepcopy(SAMPLES["yahoo_chart"])
    dollar["chart"]["result"][0]["meta"]["symbol"] = "DX-Y.NYB"
    context = context_of({})
    both = asyncio.run(fetch(ScriptedClient([SAMPLES["yahoo_chart"], dollar]), context))
    assert {one.series for one in both} == {SP500_NOW, DOLLAR_INDEX_NOW}
    with pytest.raises(PartsMissing, match=r"without ES=F: down"):
        asyncio.run(fetch(ScriptedClient([SourceUnavailable("down"), dollar]), context))
    assert {one.series for one in context.delivered} == {DOLLAR_INDEX_NOW}
    with pytest.raises(RateLimited):
        asyncio.run(fetch(ScriptedClient([RateLimited("wait")] * 2), context))


def test_the_recorded_answer() -> None:
    payload = json.loads(recorded("context", "yahoo_chart_ES_F_test_sample.json").read_text())
    (found,) = parse(payload, 1_789_653_100_000)
    assert (found.value, found.observed_at_ms) == (7_695.0, 1_789_653_039_000)

"""What must hold for every market, every score and every answer, however broken."""

import asyncio
import json
from math import isnan, nan
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from external_layers.binance.markets import parse_exchange_info
from external_layers.scanner.answers import book, book_tickers, closed_candles, day_tickers
from external_layers.scanner.metrics import PairMetrics, deserves_book
from external_layers.scanner.scanner import Scanner
from external_layers.scanner.scores import Readings, liquidity_score, opportunity_score
from external_layers.scanner.selection import (
    SelectionState,
    select,
    state_from_json,
    state_to_json,
)
from scalp_strategy.errors import PayloadError
from scalp_strategy.setting_groups.scanner import HysteresisSettings, ScannerSettings
from tests.unit.external_layers.scanner.exchange_stub import Coin, ExchangeStub
from tests.unit.external_layers.scanner.pairs import metrics_of, scored

NAMES = [f"P{number}/USDT" for number in range(9)]
RULES = ScannerSettings(
    min_pairs=2, max_pairs=4, hysteresis=HysteresisSettings(exit_scans=3, entry_scans=2)
)

pair_metrics = st.builds(
    lambda pair, score, failure, is_thin: scored(
        pair, score, fails=failure, **({"volume_24h": 1.0, "qualified": False} if is_thin else {})
    ),
    st.sampled_from(NAMES),
    st.integers(30, 100).map(float),
    st.sampled_from(["", "", "", "spread", "unknown"]),
    st.sampled_from([False, False, False, True]),
)
markets = st.lists(pair_metrics, max_size=9).map(lambda found: {each.pair: each for each in found})
unknown_or = lambda low, high: st.one_of(st.just(nan), st.floats(low, high))  # noqa: E731
readings = st.builds(
    Readings,
    volume_24h=unknown_or(0, 1e12),
    spread_pct=unknown_or(0, 100),
    change_24h_pct=unknown_or(-100, 1e4),
    price=unknown_or(1e-9, 1e6),
    history_candles=st.one_of(st.none(), st.integers(0, 300)),
    atr_pct=unknown_or(0, 500),
    depth_usdt=unknown_or(0, 1e12),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["symbol", "symbols", "bids", "asks", "bidPrice", "filters", "status"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(st.lists(markets, min_size=1, max_size=12))
def test_the_active_list_through_any_market(scans: list[dict[str, PairMetrics]]) -> None:
    state = SelectionState()
    for number, metrics in enumerate(scans):
        found = select(state, metrics, RULES, number)
        assert select(state, dict(reversed(metrics.items())), RULES, number) == found
        assert len(found.active) <= RULES.max_pairs
        assert tuple(found.state.active) == found.active
        order = [(-each.score, pair) for pair, each in found.state.active.items()]
        assert order == sorted(order)
        assert set(found.active) <= metrics.keys()
        assert not any(metrics[pair].volume_24h <= RULES.min_volume_usdt for pair in found.active)
        added = set(found.active) - state.active.keys()
        assert all(metrics[pair].qualified for pair in added)
        changed = {(each.kind, each.pair) for each in found.changes}
        removed = state.active.keys() - set(found.active)
        assert changed == {("pair_added", pair) for pair in added} | {
            ("pair_removed", pair) for pair in removed
        }
        assert not found.state.waiting.keys() & found.state.active.keys()
        assert (found.shortage is None) == (len(found.active) >= RULES.min_pairs)
        assert state_from_json(json.loads(json.dumps(state_to_json(found.state)))) == found.state
        state = found.state


@given(st.lists(markets, min_size=4, max_size=30))
def test_nothing_that_is_not_qualified_stays_longer_than_patience(
    scans: list[dict[str, PairMetrics]],
) -> None:
    state, refused = SelectionState(), dict.fromkeys(NAMES, 0)
    for number, metrics in enumerate(scans):
        state = select(state, metrics, RULES, number).state
        for pair in NAMES:
            is_good = pair in metrics and metrics[pair].qualified
            refused[pair] = 0 if is_good else refused[pair] + 1
            assert pair not in state.active or refused[pair] < RULES.hysteresis.exit_scans


@given(markets, markets)
def test_nothing_changes_once_the_market_stands_still(
    before: dict[str, PairMetrics], still: dict[str, PairMetrics]
) -> None:
    state = select(SelectionState(), before, RULES, 0).state
    for number in range(1, 8):
        state = select(state, still, RULES, number).state
    found = select(state, still, RULES, 9)
    assert found.changes == ()
    assert found.state == state


@given(readings)
def test_scores_have_bounds_and_unknown_never_qualifies(known: Readings) -> None:
    rules = ScannerSettings()
    for score in (opportunity_score(known, rules), liquidity_score(known, rules.liquidity)):
        assert isnan(score) or 0 <= score <= 100.0000001
    metrics = metrics_of(known)
    values = (known.volume_24h, known.spread_pct, known.change_24h_pct, known.atr_pct)
    is_unknown = any(map(isnan, (*values, known.depth_usdt))) or known.history_candles is None
    assert metrics.qualified == (metrics.reasons == ())
    assert not (is_unknown and metrics.qualified)
    assert any(reason.endswith("is unknown") for reason in metrics.reasons) == is_unknown
    assert not metrics.qualified or deserves_book(known, rules)


@given(json_values)
def test_any_answer_is_read_or_refused(payload: Any) -> None:
    def drop(_: PayloadError) -> None:
        pass

    for read in (
        lambda: parse_exchange_info(payload, "futures", drop),
        lambda: parse_exchange_info({"symbols": payload}, "spot", drop),
        lambda: day_tickers(payload, drop),
        lambda: book_tickers(payload, drop),
        lambda: closed_candles(payload, 10**15, drop),
        lambda: book(payload),
    ):
        try:
            read()
        except PayloadError:
            continue


@given(
    st.dictionaries(
        st.sampled_from(["exchangeInfo", "ticker/24hr", "ticker/bookTicker", "klines", "depth"]),
        json_values,
    )
)
@settings(max_examples=50, deadline=None)
def test_no_answer_makes_a_scan_raise(answers: dict[str, Any]) -> None:
    exchange = ExchangeStub({"SOL": Coin(), "ADA": Coin()})
    scanner = Scanner(exchange, "futures", ScannerSettings(), exchange.clock)
    asyncio.run(scanner.scan())
    exchange.answers = answers
    for _ in range(2):
        exchange.now_ms += 7_200_000
        asyncio.run(scanner.scan())

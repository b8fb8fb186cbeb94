"""Whatever a sidecar answers, the reader keeps a sound state; whatever order rows come in, too."""

import json
from math import isnan

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from scalp_strategy.contract import CANDLE_MS, MARKET_WIDE, SCHEMA_VERSION, Component, to_wire
from scalp_strategy.layers import LiveSource, layer_frame, layer_reasons
from scalp_strategy.layers.answer import Answer, Ask, parse_answer
from scalp_strategy.layers.candles import TIMEFRAMES_MS
from scalp_strategy.layers.series import joined, rows_at, series_of
from scalp_strategy.settings import Settings
from scalp_strategy.technical.bars import bars_of
from tests.unit.layers.evidence import BTC, START_MS, candle_dates

LIMITS = settings(max_examples=60, deadline=None)
DAY_MS = 86_400_000

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
    | st.sampled_from([BTC, MARKET_WIDE, "orderflow", "trade_flow", START_MS, 0, -1]),
    lambda inner: st.lists(inner, max_size=10) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=20,
)
times = st.integers(START_MS - 2 * DAY_MS, START_MS + 3 * CANDLE_MS)
good_rows = st.builds(
    lambda at, age, long, flags: to_wire(
        Component("orderflow", "trade_flow", BTC, long, 100.0 - long, at - age, at, "", flags)
    ),
    times,
    st.integers(0, 10**9),
    st.floats(0.0, 100.0),
    st.sampled_from([(), ("vanishing",), ("regime=RISK_ON", "regime=RISK_OFF")]),
)
good_candles = st.tuples(
    st.integers(0, 40).map(lambda back: START_MS - back * 60_000), *[st.floats(0.0, 1e9)] * 5
).map(list)


@st.composite
def spoilt(draw: st.DrawFn, rows: st.SearchStrategy[list]) -> object:
    """A list of rows, some of them with a cell replaced, or replaced as a whole."""
    given_rows = draw(st.lists(rows, max_size=6))
    for row in given_rows:
        if draw(st.booleans()):
            row[draw(st.integers(0, len(row) - 1))] = draw(json_values)
    return given_rows + draw(st.lists(json_values, max_size=2))


entries = st.fixed_dictionaries(
    {},
    optional={
        "components": spoilt(good_rows) | json_values,
        "candles": st.fixed_dictionaries(
            {}, optional=dict.fromkeys(TIMEFRAMES_MS, spoilt(good_candles) | json_values)
        )
        | json_values,
    },
)
documents = json_values | st.fixed_dictionaries(
    {
        "schema": st.just(SCHEMA_VERSION) | json_values,
        "at_ms": st.just(START_MS) | times | json_values,
        "pairs": st.dictionaries(st.sampled_from([BTC, MARKET_WIDE, "x"]), entries | json_values),
    }
)
bodies = st.binary(max_size=40) | documents.map(lambda one: json.dumps(one).encode())


class Scripted:
    """A transport that answers with these bodies, one after the other."""

    has_history = True

    def __init__(self, given_bodies: list[bytes]) -> None:
        self.bodies = given_bodies

    def fetch(self, ask: Ask) -> Answer:
        return parse_answer(self.bodies.pop(0) if self.bodies else b"", ask)

    def drop(self) -> None:
        """There is no connection."""


@LIMITS
@given(st.lists(bodies, max_size=6), st.lists(st.integers(-3, 3), min_size=1, max_size=4))
def test_no_answer_can_spoil_the_state(given_bodies: list[bytes], steps: list[int]) -> None:
    source = LiveSource(Settings(), Scripted(given_bodies))
    for step in steps:
        close_ms = START_MS + step * CANDLE_MS
        report = source.refresh(close_ms, [BTC])
        assert 0 <= report.answered <= report.asked == 1
        assert report.problem != ""
        dates = candle_dates(20, close_ms - 19 * CANDLE_MS)
        frame = layer_frame(source, BTC, dates, Settings())
        for side in ("long", "short"):
            scores = frame[f"orderflow_{side}"].dropna()
            assert scores.between(0.0, 100.0).all()
        assert frame["orderflow_reliability"].between(0.0, 1.0).all()
        layer_reasons(source, BTC, close_ms, "orderflow", Settings())
        for timeframe in TIMEFRAMES_MS:
            candles = source.candles(BTC, timeframe)
            if candles is not None:
                bars = bars_of(candles, timeframe)
                closed = bars.time_ns // 1_000_000 + TIMEFRAMES_MS[timeframe]
                assert np.isfinite(bars.close).all()
                # After a failure the state may be that of an earlier refresh, later in time.
                assert closed.max() <= START_MS + 3 * CANDLE_MS


@LIMITS
@given(st.lists(spoilt(good_rows), min_size=1, max_size=3))
def test_rows_that_are_taken_are_the_rows_that_were_sent(given_rows: list[list]) -> None:
    entry = {"components": [row for rows in given_rows for row in rows]}
    body = {"schema": SCHEMA_VERSION, "at_ms": START_MS, "pairs": {BTC: entry}}
    answer = parse_answer(json.dumps(body).encode(), Ask((BTC,), START_MS))
    sent = [json.dumps(row) for row in entry["components"] if isinstance(row, list)]
    assert answer.dropped + len(answer.components) <= len(entry["components"])
    for one in answer.components:
        assert one.pair == BTC
        assert 0 <= one.observed_at_ms <= one.available_at_ms <= START_MS
        assert isnan(one.long) or 0.0 <= one.long <= 100.0
        assert any(str(one.available_at_ms) in row for row in sent)


rows_of_component = st.lists(
    st.builds(
        lambda offset, score: Component(
            "orderflow", "trade_flow", BTC, score, score, START_MS, START_MS + offset
        ),
        # Few instants, so that many rows share one, or lie exactly at a close.
        st.sampled_from([0, 1, 899_999, 900_000, 900_001, 1_800_000, 2_700_000, 5_000_000]),
        st.floats(0.0, 100.0),
    ),
    min_size=1,
    max_size=12,
)


@LIMITS
@given(rows_of_component, st.integers(1, 4), st.sampled_from([0, 900_000, 10**9]))
def test_the_join_is_the_brute_force_one(
    rows: list[Component], parts: int, horizon_ms: int
) -> None:
    rows = sorted(rows, key=lambda one: one.available_at_ms)
    size = -(-len(rows) // parts)
    series = joined([series_of(rows[at : at + size]) for at in range(0, len(rows), size)])
    closes = START_MS + CANDLE_MS * np.arange(-1, 8)
    found = rows_at(series, closes, horizon_ms).last
    for close, row in zip(closes.tolist(), found.tolist(), strict=True):
        known = [
            one
            for one in rows
            if one.available_at_ms <= close and close - one.available_at_ms <= horizon_ms
        ]
        expected = known[-1].long if known else None
        assert (series.long[row] if row >= 0 else None) == expected


@LIMITS
@given(rows_of_component, rows_of_component)
def test_rows_that_come_again_change_nothing(
    first: list[Component], second: list[Component]
) -> None:
    one = joined([series_of(first), series_of(second)])
    again = joined([one, series_of(second)])
    np.testing.assert_array_equal(again.available_ms, one.available_ms)
    np.testing.assert_array_equal(again.long, one.long)

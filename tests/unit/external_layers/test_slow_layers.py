"""Of the slow layers only what changed is given, and yet every close finds all of it as it was."""

from collections.abc import Iterable
from math import nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from external_layers.sentiment.trend import Candles15m
from external_layers.slow_layers import SlowLayers
from external_layers.sources.facts import (
    FEAR_GREED,
    MARKET,
    Fact,
    Party,
    Reading,
    Transfer,
    Watched,
)
from external_layers.timeline import Timeline
from external_layers.tokens import token_of
from scalp_strategy.contract import CANDLE_MS, MARKET_WIDE, Component
from scalp_strategy.errors import PayloadError
from scalp_strategy.settings import Settings

SETTINGS = Settings()
START = 1_780_272_000_000  # 2026-06-01 00:00 UTC
STEP_MS = SETTINGS.sidecar.publish_s * 1_000
LEAD_MS = SETTINGS.sidecar.publish_lead_ms
BTC, ETH = "BTC/USDT:USDT", "ETH/USDT:USDT"
PAIRS = {BTC: "BTC", ETH: "ETH"}
HOUR = 3_600_000


def grid(first_ms: int, stop_ms: int) -> range:
    return range(first_ms + STEP_MS - LEAD_MS, stop_ms, STEP_MS)


def index(value: float, day_ms: int, known_ms: int) -> Reading:
    return Reading(FEAR_GREED, MARKET, value, day_ms, known_ms)


def looked(token: str, at_ms: int) -> Watched:
    return Watched("transfers", token, "test", at_ms, at_ms)


def moved(token: str, usd: float, at_ms: int, *, is_deposit: bool, number: int = 0) -> Transfer:
    exchange, wallet = Party("exchange", "Binance", f"ex{number}"), Party("wallet", "unknown", "w")
    ends = (wallet, exchange) if is_deposit else (exchange, wallet)
    return Transfer(token, usd, usd, *ends, "ethereum", f"0x{number:x}", at_ms, at_ms)


def no_price(_token: str) -> float:
    return nan


def named(components: Iterable[Component], pair: str = MARKET_WIDE) -> dict[str, Component]:
    return {one.name: one for one in components if one.pair == pair}


def test_a_score_that_stands_is_given_once_and_renewed_after_an_hour() -> None:
    layers = SlowLayers(SETTINGS)
    layers.take([index(20.0, START - 86_400_000, START)], no_price)
    given_at = [
        at for at in grid(START, START + 2 * HOUR) if "fear_greed" in named(layers.due({}, {}, at))
    ]
    gaps = np.diff(given_at)
    assert len(given_at) == 2
    assert gaps.tolist() == [SETTINGS.sidecar.slow_renew_s * 1_000]


def test_a_score_that_changes_is_given_at_once() -> None:
    layers = SlowLayers(SETTINGS)
    layers.take([looked("BTC", START)], no_price)
    first, second, third, *_ = grid(START, START + HOUR)
    assert named(layers.due(PAIRS, {}, first), BTC)["whale_movements"].long == 50.0
    assert "whale_movements" not in named(layers.due(PAIRS, {}, second), BTC)
    layers.take([moved("BTC", 5e6, second + 1, is_deposit=True)], no_price)
    assert named(layers.due(PAIRS, {}, third), BTC)["whale_movements"].long < 50.0


def test_words_that_grow_old_are_said_anew_before_a_close_only() -> None:
    layers = SlowLayers(SETTINGS)
    layers.take([looked("BTC", START), moved("BTC", 5e6, START, is_deposit=False)], no_price)
    told = {}
    for at in grid(START, START + CANDLE_MS + STEP_MS):
        rows = named(layers.due(PAIRS, {}, at), BTC)
        if "whale_movements" in rows:
            told[at] = rows["whale_movements"].reason
    assert list(told) == [START + STEP_MS - LEAD_MS, START + CANDLE_MS - LEAD_MS]
    assert told[START + CANDLE_MS - LEAD_MS] == "$5M BTC withdrawn from Binance 14 min ago"


def test_the_transfers_worth_telling_are_those_of_the_layer() -> None:
    layers = SlowLayers(SETTINGS)
    small, large = (
        moved("BTC", usd, START, is_deposit=True, number=n) for n, usd in enumerate((1e5, 2e6))
    )
    assert layers.take([small, large, large], no_price) == [large]


facts_at = st.integers(0, 4 * CANDLE_MS // 1_000).map(lambda second: START + second * 1_000)
streams = st.lists(
    st.one_of(
        st.builds(lambda at: looked("BTC", at), facts_at),
        st.builds(
            lambda at, usd, is_deposit, n: moved("BTC", usd, at, is_deposit=is_deposit, number=n),
            facts_at,
            st.floats(5e5, 5e7),
            st.booleans(),
            st.integers(0, 50),
        ),
        st.builds(
            lambda at, value: index(value, START - 86_400_000, at), facts_at, st.floats(0, 100)
        ),
    ),
    max_size=25,
).map(lambda facts: sorted(facts, key=lambda fact: fact.available_at_ms))


def _content(components: Iterable[Component]) -> dict[tuple[str, str, str], str]:
    return {
        (one.layer, one.name, one.pair): repr((one.long, one.short, one.observed_at_ms, one.reason))
        for one in components
        if one.is_known
    }


@given(facts=streams, restart_after=st.integers(0, 60))
@settings(max_examples=40, deadline=None)
def test_every_close_finds_what_the_layers_said_last_before_it(
    facts: list[Fact], restart_after: int
) -> None:
    """Given row by row, over a restart, or asked for as a whole: at each close it is the same."""
    layers, whole, timeline = SlowLayers(SETTINGS), SlowLayers(SETTINGS), Timeline(86_400)
    waiting = list(facts)
    for number, at in enumerate(grid(START, START + 4 * CANDLE_MS + 1)):
        due = [fact for fact in waiting if fact.available_at_ms <= at]
        waiting = waiting[len(due) :]
        layers.take(due, no_price)
        whole.take(due, no_price)
        timeline.add(layers.due(PAIRS, {}, at))
        if number == restart_after:
            layers = SlowLayers.from_json(SETTINGS, layers.to_json())
        close = at + LEAD_MS
        if close % CANDLE_MS == 0:
            said = [one for pair in (*PAIRS, MARKET_WIDE) for one in timeline.as_of(pair, close)]
            assert _content(said) == _content(whole.all_of(PAIRS, {}, at))


@pytest.mark.parametrize("document", [None, [], {}, {"version": 0}, {"version": 1, "onchain": {}}])
def test_a_foreign_memory_is_refused(document: object) -> None:
    with pytest.raises(PayloadError):
        SlowLayers.from_json(SETTINGS, document)


def test_the_regime_is_told_when_it_changes() -> None:
    flat = np.full(400, 100.0)
    closes = START - CANDLE_MS * np.arange(399, -1, -1)
    candles = {"BTC": Candles15m(closes, flat, flat, flat)}
    layers = SlowLayers(SETTINGS)
    first, *_ = grid(START, START + HOUR)
    layers.due(PAIRS, candles, first)
    told = [(one.kind, one.old, one.new) for one in layers.sentiment.changes()]
    assert ("regime", "", "CHOPPY") in told
    layers.due(PAIRS, candles, first + 1)
    assert layers.sentiment.changes() == []


@pytest.mark.parametrize(
    ("pair", "token"),
    [
        ("BTC/USDT:USDT", ("BTC", 1.0)),
        ("1000PEPE/USDT:USDT", ("PEPE", 1e3)),
        ("1000000MOG/USDT:USDT", ("MOG", 1e6)),
        ("1MBABYDOGE/USDT:USDT", ("BABYDOGE", 1e6)),
        ("1INCH/USDT", ("1INCH", 1.0)),
        ("1000CHEEMS/USDT", ("CHEEMS", 1e3)),
    ],
)
def test_the_token_behind_a_pair(pair: str, token: tuple[str, float]) -> None:
    assert token_of(pair) == token

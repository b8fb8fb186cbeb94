"""Speed of the technical layer: against TA-Lib alone in the same run, and for a full pair list.

Run with `pytest tests/benchmarks/test_technical_benchmark.py`. The ratio compares the whole layer
(ten indicators and six patterns for both sides, four timeframes, score, setup, data frame) with
nothing but the TA-Lib calls it makes, replayed on the very arrays it passed.
"""

from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np
import pytest
import talib
from pandas import DataFrame

from scalp_strategy.settings import Settings
from scalp_strategy.technical import technical_frame, technical_layer, technical_score
from tests.support.candles import market, random_candles

ROWS = 1000
PAIRS = 30
LARGEST_RATIO = 45.0
TALIB_FUNCTIONS = ("ATR", "BBANDS", "EMA", "MACD", "MAX", "MIN", "RSI", "SMA")

Call = tuple[Callable[..., Any], tuple[Any, ...]]


@pytest.fixture(scope="module")
def frames() -> list[DataFrame]:
    """Return 1,000 candles each of 15m, 5m and 1m that end together."""
    whole = market(ROWS // 4)
    return [whole[minutes].tail(ROWS).reset_index(drop=True) for minutes in (15, 5, 1)]


def recorded_calls(frames: list[DataFrame], patch: pytest.MonkeyPatch) -> list[Call]:
    calls: list[Call] = []

    def recorder(function: Callable[..., Any]) -> Callable[..., Any]:
        def record(*arguments: Any) -> Any:
            calls.append(
                (function, tuple(np.copy(each) if np.ndim(each) else each for each in arguments))
            )
            return function(*arguments)

        return record

    with patch.context() as context:
        for name in TALIB_FUNCTIONS:
            context.setattr(talib, name, recorder(getattr(talib, name)))
        technical_layer(*frames)
    return calls


def fastest(function: Callable[[], Any], rounds: int = 100) -> float:
    best = np.inf
    for _ in range(rounds):
        start = perf_counter()
        function()
        best = min(best, perf_counter() - start)
    return float(best)


def test_layer_against_bare_talib(
    frames: list[DataFrame], monkeypatch: pytest.MonkeyPatch, benchmark: Any
) -> None:
    calls = recorded_calls(frames, monkeypatch)
    assert {function.__name__ for function, _ in calls} == set(TALIB_FUNCTIONS)

    def bare() -> None:
        for function, arguments in calls:
            function(*arguments)

    ratio = min(fastest(lambda: technical_layer(*frames)) / fastest(bare) for _ in range(5))
    benchmark.extra_info |= {"talib_calls": len(calls), "ratio_to_bare_talib": round(ratio, 1)}
    layer = benchmark(technical_layer, *frames)
    assert layer["technical_reliability"].iloc[-1] == 1.0
    assert layer["ta_long"].iloc[250:].between(0.0, 100.0).all()
    assert ratio <= LARGEST_RATIO


def test_pair_list(benchmark: Any) -> None:
    pairs = [random_candles(ROWS, seed=seed) for seed in range(PAIRS)]
    settings = Settings()

    def cycle() -> list[DataFrame]:
        return [technical_layer(candles, settings=settings) for candles in pairs]

    layers = benchmark(cycle)
    assert len({layer["ta_long"].iloc[-1] for layer in layers}) == PAIRS
    seconds = fastest(cycle, rounds=5)
    benchmark.extra_info |= {"seconds_for_30_pairs": round(seconds, 3)}


def test_new_weights_cost_a_fraction_of_the_layer(benchmark: Any) -> None:
    frame = technical_frame(random_candles(10_000))
    score = benchmark(technical_score, frame)
    assert score["ta_long"].tail(9000).between(0.0, 100.0).all()
    whole = fastest(lambda: technical_frame(random_candles(10_000)), rounds=3)
    share = fastest(lambda: technical_score(frame), rounds=10) / whole
    benchmark.extra_info |= {"share_of_the_layer": round(share, 3)}
    assert share < 0.5

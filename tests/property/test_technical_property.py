"""What holds for any candles: holes, flat prices, no volume, extreme units, 0 to 300 rows."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pandas import DataFrame

from scalp_strategy.settings import Settings
from scalp_strategy.technical import technical_frame, technical_layer, technical_score
from tests.support.candles import dates

relaxed = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@dataclass(frozen=True)
class Market:
    """What a drawn market is made of; the candles follow from it alone."""

    rows: int
    seed: int
    price: float
    volatility: float
    volume: float
    still: tuple[int, int]
    silent: tuple[int, int]
    unknown: tuple[int, ...]
    missing: tuple[int, ...]

    def candles(self) -> DataFrame:
        random = np.random.default_rng(self.seed)
        moves = random.normal(0.0, self.volatility, self.rows)
        moves[slice(*self.still)] = 0.0
        close = self.price * np.exp(np.cumsum(moves))
        opening = np.concatenate(([self.price], close[:-1]))[: self.rows]
        reach = np.abs(random.normal(0.0, self.volatility, (2, self.rows)))
        reach[:, slice(*self.still)] = 0.0
        volume = self.volume * random.lognormal(0.0, 1.0, self.rows)
        volume[slice(*self.silent)] = 0.0
        frame = DataFrame(
            {
                "date": dates(self.rows),
                "open": opening,
                "high": np.maximum(opening, close) * (1 + reach[0]),
                "low": np.minimum(opening, close) / (1 + reach[1]),
                "close": close,
                "volume": volume,
            }
        )
        for row in self.unknown:
            if row < self.rows:
                frame.loc[row, ["open", "high", "low", "close", "volume"][row % 5]] = np.nan
        return frame.drop(index=[row for row in self.missing if row < self.rows])


def ranges(rows: int) -> st.SearchStrategy[tuple[int, int]]:
    ends = st.integers(0, rows)
    return st.tuples(ends, ends).map(lambda pair: (min(pair), max(pair)))


markets = st.builds(
    Market,
    rows=st.integers(0, 300),
    seed=st.integers(0, 10_000),
    price=st.sampled_from([1e-12, 1e-6, 1.0, 100.0, 1e6, 1e12]),
    volatility=st.sampled_from([0.0, 1e-12, 1e-6, 0.003, 0.05, 0.5]),
    volume=st.sampled_from([0.0, 1e-9, 1.0, 1e15]),
    still=ranges(300),
    silent=ranges(300),
    unknown=st.lists(st.integers(0, 299), max_size=3).map(tuple),
    missing=st.lists(st.integers(0, 299), max_size=3).map(tuple),
)


@given(market=markets)
@relaxed
def test_layer_is_total_finite_and_in_range(market: Market) -> None:
    candles = market.candles()
    with np.errstate(all="raise", under="ignore"):
        layer = technical_layer(candles)
    pd.testing.assert_index_equal(layer.index, candles.index)
    assert not np.isinf(layer.to_numpy(dtype=np.float64)).any()
    scores = layer.filter(regex="_(long|short)$").drop(columns=["setup_long", "setup_short"])
    assert scores.min().min() >= 0.0 or scores.isna().all(axis=None) or scores.empty
    assert scores.max().max() <= 100.0 or scores.isna().all(axis=None) or scores.empty
    assert layer["technical_reliability"].between(0.0, 1.0).all()
    signed = layer[["breakout", "fakeout", "fair_value_gap", "ema_bounce", "vwap_reclaim"]]
    assert not (signed.abs() > 100.0).any(axis=None)


@given(market=markets, share=st.floats(0.0, 1.0))
@relaxed
def test_future_changes_nothing(market: Market, share: float) -> None:
    candles = market.candles()
    stop = int(share * len(candles))
    pd.testing.assert_frame_equal(
        technical_layer(candles.iloc[:stop]), technical_layer(candles).iloc[:stop], check_exact=True
    )


@given(market=markets)
@relaxed
def test_score_is_unknown_exactly_where_no_sub_score_is_known(market: Market) -> None:
    frame = technical_frame(market.candles())
    score = technical_score(frame)
    names = [name for name in frame.columns if name.endswith("_long") and name != "mtf_long"]
    nothing = frame[names].isna().all(axis=1)
    np.testing.assert_array_equal(score["ta_long"].isna(), nothing)
    is_silent = nothing | (frame["traded_share"] == 0.0)
    np.testing.assert_array_equal(score["technical_reliability"] == 0.0, is_silent)
    assert (score.loc[nothing, "ta_direction"] == 0).all()


@given(market=markets, offset=st.integers(-2, 2))
@relaxed
def test_history_before_a_hole_never_matters(market: Market, offset: int) -> None:
    candles = market.candles()
    hole, longest = len(candles) // 2 + offset, Settings().technical.max_bridged_candles
    if not 0 <= hole < len(candles) - longest - 1:
        return
    broken = candles.drop(index=candles.index[hole : hole + longest + 1])
    after = broken.iloc[hole:]
    pd.testing.assert_frame_equal(
        technical_layer(broken).iloc[hole:], technical_layer(after), check_exact=True
    )


@given(market=markets, minutes=st.sampled_from([1, 5]), cut=st.integers(0, 299))
@relaxed
def test_any_lower_timeframe_is_accepted(market: Market, minutes: int, cut: int) -> None:
    candles = market.candles()
    lower = candles.assign(date=dates(300, minutes)[candles.index]).iloc[cut:]
    frames = (lower, None) if minutes == 5 else (None, lower)
    with np.errstate(all="raise", under="ignore"):
        layer = technical_layer(candles, *frames)
    assert layer["trend_5m"].dropna().isin([-2.0, -1.0, 0.0, 1.0, 2.0]).all()
    assert not np.isinf(layer["momentum_1m"]).any()
    assert layer["mtf_long"].dropna().isin([0.5, 0.7, 1.0, 1.2, 1.5]).all()

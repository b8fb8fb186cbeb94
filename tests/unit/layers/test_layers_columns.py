"""Which row is known at a close, and what the columns make of it: by hand."""

from collections.abc import Mapping
from math import nan

import numpy as np
import pandas as pd
import pytest

from scalp_strategy.contract import MARKET_WIDE, Component
from scalp_strategy.layers import layer_frame, layer_reasons
from scalp_strategy.layers.series import (
    ComponentSeries,
    between,
    joined,
    overlaid,
    pick,
    rows_at,
    series_of,
)
from scalp_strategy.setting_groups.layer_rules import rules_of
from scalp_strategy.settings import Settings, with_overrides
from tests.unit.layers.evidence import BTC, CANDLE_MS, START_MS, candle_dates, component

SETTINGS = Settings()
DAY_MS = 86_400_000
CLOSES = START_MS + CANDLE_MS * np.arange(4)
NUMBERS = [
    f"{layer}_{field}"
    for layer in ("orderflow", "onchain", "sentiment")
    for field in ("long", "short", "reliability")
]


class Held:
    """A source that holds these components and nothing else."""

    def __init__(self, *components: Component) -> None:
        self.components = components

    def series(
        self, layer: str, pair: str, since_ms: int, until_ms: int
    ) -> Mapping[str, ComponentSeries]:
        own = [one for one in self.components if (one.layer, one.pair) == (layer, pair)]
        names = {one.name for one in own}
        whole = {name: series_of([one for one in own if one.name == name]) for name in names}
        return between(whole, since_ms, until_ms)


def frame(*components: Component, count: int = 4, settings: Settings = SETTINGS) -> pd.DataFrame:
    return layer_frame(Held(*components), BTC, candle_dates(count), settings)


def picked_long(series: ComponentSeries, horizon: int = DAY_MS) -> list[float]:
    return pick(rows_at(series, CLOSES, horizon)).long.tolist()


def test_a_row_is_known_from_its_own_instant_on() -> None:
    exactly = series_of([component(START_MS + CANDLE_MS, 60.0)])
    late = series_of([component(START_MS + CANDLE_MS + 1, 60.0)])
    np.testing.assert_array_equal(picked_long(exactly), [nan, 60, 60, 60])
    np.testing.assert_array_equal(picked_long(late), [nan, nan, 60, 60])


def test_of_a_tie_the_last_one_given_wins() -> None:
    rows = [component(START_MS, 10.0), component(START_MS, 20.0), component(START_MS - 1, 30.0)]
    assert picked_long(series_of(rows)) == [20.0] * 4
    assert picked_long(joined([series_of(rows[:2]), series_of(rows[:1])])) == [10.0] * 4


def test_a_row_that_is_not_renewed_is_forgotten_after_the_horizon() -> None:
    series = series_of([component(START_MS, 60.0)])
    assert np.isnan(picked_long(series, horizon=CANDLE_MS * 2)).tolist() == [False] * 3 + [True]


def test_only_what_a_close_can_see_is_kept() -> None:
    rows = [component(START_MS + step * 15_000, step) for step in range(1, 61)]
    kept = series_of(rows)
    assert (kept.available_ms.tolist(), kept.long.tolist()) == ([START_MS + CANDLE_MS], [60.0])


def test_the_pairs_own_row_wins_even_when_it_is_unknown_or_older() -> None:
    own = series_of([component(START_MS + CANDLE_MS, nan, short=nan)])
    market = series_of([component(START_MS, 40.0), component(START_MS + 2 * CANDLE_MS, 45.0)])
    both = overlaid(rows_at(own, CLOSES, DAY_MS), rows_at(market, CLOSES, DAY_MS))
    assert both is not None
    np.testing.assert_array_equal(pick(both).long, [40, nan, nan, nan])


def test_the_columns_by_hand() -> None:
    # Trade flow (0.30) 12 s old: reliability 1; book imbalance (0.25) 60 s old: 0.4.
    rows = [
        component(START_MS - 12_000, 80.0),
        component(START_MS - 60_000, 60.0, name="book_imbalance"),
    ]
    out = frame(*rows, count=1).iloc[0]
    # The flow's 80 counts whole, the book's 60 as 50 + 0.4 * 10, what is unknown as 50.
    assert out["orderflow_long"] == pytest.approx(0.30 * 80 + 0.25 * 54 + 0.45 * 50)
    assert out["orderflow_reliability"] == pytest.approx(0.30 * 1.0 + 0.25 * 0.4)


def test_a_layer_without_data_is_silent_and_never_zero() -> None:
    out = frame()
    assert list(out.columns) == NUMBERS
    reliabilities = [name for name in NUMBERS if name.endswith("reliability")]
    assert out.drop(columns=reliabilities).isna().all().all()
    assert (out[reliabilities] == 0.0).all().all()


def test_rows_of_another_pair_or_layer_say_nothing() -> None:
    other_pair = component(START_MS, pair="ETH/USDT:USDT")
    other_layer = component(START_MS, layer="onchain")
    assert frame(other_pair, other_layer)["orderflow_long"].isna().all()


def test_only_evidence_of_the_whole_market_speaks_for_every_pair() -> None:
    fear = component(START_MS, 80.0, layer="sentiment", name="fear_greed", pair=MARKET_WIDE)
    flow = component(START_MS, 80.0, pair=MARKET_WIDE)
    out = frame(fear, flow).iloc[0]
    assert out["sentiment_long"] == pytest.approx(50 + 0.2 * 30)
    assert out["sentiment_reliability"] == pytest.approx(0.2)
    assert np.isnan(out["orderflow_long"])
    assert out["orderflow_reliability"] == 0.0


def test_the_index_is_that_of_the_dates_in_any_unit() -> None:
    dates = candle_dates(3)
    expected = layer_frame(Held(component(START_MS)), BTC, dates, SETTINGS)
    moved = dates.dt.as_unit("ns").set_axis([7, 3, 9])
    out = layer_frame(Held(component(START_MS)), BTC, moved, SETTINGS)
    assert list(out.index) == [7, 3, 9]
    pd.testing.assert_frame_equal(out.reset_index(drop=True), expected)


def test_no_candles_give_no_rows() -> None:
    out = frame(component(START_MS), count=0)
    assert (len(out), list(out.columns)) == (0, NUMBERS)


def test_a_state_holds_while_its_component_is_fresh() -> None:
    # Trade flow says nothing any more after 300 s, funding for a day.
    brief = component(START_MS, flags=("regime=RISK_OFF",))
    long_lived = component(START_MS, name="funding_rate", flags=("regime=RISK_ON",))
    assert frame(brief)["regime"].tolist() == ["RISK_OFF", None, None, None]
    assert frame(long_lived)["regime"].tolist() == ["RISK_ON"] * 4
    # The first rule's state wins: trade flow stands before funding.
    assert frame(brief, long_lived)["regime"].tolist() == ["RISK_OFF"] + ["RISK_ON"] * 3


def test_a_state_needs_no_score_and_no_rule() -> None:
    row = component(START_MS + CANDLE_MS, nan, short=nan, name="x", flags=("macro=DANGER", "odd"))
    out = frame(row)
    assert out["macro"].tolist() == [None, "DANGER", "DANGER", "DANGER"]
    assert "regime" not in out
    assert out["orderflow_long"].isna().all()


@pytest.mark.parametrize("state", ["DANGER", "EXTREME"])
def test_an_alarm_that_nobody_ends_outlives_its_hour_by_the_age_of_its_values_only(state) -> None:
    # The sidecar is gone: its last row says CALM for days, but no alarm.
    def last(flag: str) -> list[str | None]:
        return frame(
            component(START_MS, 30.0, layer="sentiment", name="macro_correlation", flags=(flag,)),
            count=9,
            settings=with_overrides(SETTINGS, {"sentiment.macro_now_max_age_s": 2_700}),
        )["macro"].tolist()

    assert last(f"macro={state}") == [state] * 8 + [None]  # 105 minutes
    assert last("macro=CALM") == ["CALM"] * 9


def test_a_state_that_is_not_given_again_ends_while_its_score_fades() -> None:
    """A sidecar that is gone must not go on lifting scores by a regime for days."""

    def regimes(*given_ms: int) -> pd.DataFrame:
        rows = [
            Component(
                "sentiment", "market_regime", MARKET_WIDE, 80.0, 30.0, START_MS, at,
                flags=("regime=RISK_ON",),
            )
            for at in given_ms
        ]  # fmt: skip
        return frame(*rows, count=12)

    hour = 3_600_000
    gone = regimes(START_MS)
    assert gone["regime"].tolist() == ["RISK_ON"] * 9 + [None] * 3  # two hours
    assert (gone["sentiment_long"].diff().dropna() <= 0.0).all()
    assert gone["sentiment_long"].iloc[-1] > 50.0
    assert regimes(START_MS, START_MS + hour)["regime"].tolist() == ["RISK_ON"] * 12


def test_vanishing_liquidity_costs_both_sides_where_it_is_flagged() -> None:
    rows = [
        component(START_MS, 80.0, name="funding_rate", flags=("vanishing",)),
        component(START_MS + CANDLE_MS, 80.0, name="funding_rate"),
    ]
    # 0.15 * 80 + 0.85 * 50 = 54.5, less 20 while it is flagged
    assert frame(*rows)["orderflow_long"].tolist() == pytest.approx([34.5, 54.5, 54.5, 54.5])


def test_the_horizon_spans_the_slowest_component_and_the_opposition() -> None:
    rules, *_ = rules_of(SETTINGS)
    assert rules.horizon_ms == DAY_MS
    rules, *_ = rules_of(with_overrides(SETTINGS, {"confluence.opposition_max_age_s": 100_000}))
    assert rules.horizon_ms == 100_000_000


def test_reasons_come_heaviest_first_and_of_known_layers_only() -> None:
    rows = [
        component(START_MS - 1_000, 55.0, reason="flow"),
        component(START_MS - 1_000, 95.0, name="book_imbalance", reason="book"),
        component(START_MS + 1, 0.0, name="large_orders", reason="tomorrow"),
    ]
    score = layer_reasons(Held(*rows), BTC, START_MS, "orderflow", SETTINGS)
    assert score.reasons == ("book", "flow")
    assert score.ages_s == {"book_imbalance": 1.0, "trade_flow": 1.0}
    none = layer_reasons(Held(*rows), BTC, START_MS, "technical", SETTINGS)
    assert (none.reasons, none.reliability) == ((), 0.0)

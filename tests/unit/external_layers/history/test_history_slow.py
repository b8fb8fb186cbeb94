"""Past days of the slow layers: honest about when a value was known, whatever comes after it."""

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from external_layers.history.backfill import Outcome
from external_layers.history.day import Grid
from external_layers.history.ledger import SLOW_LEDGER_NAME
from external_layers.history.series_files import read_series
from external_layers.history.slow import SlowInputs, in_order, slow_days
from external_layers.history.slow_backfill import SlowBackfill, SlowRequest, SlowResult
from external_layers.history.slow_inputs import FILE_SUBJECT, MACRO, btc_candles
from external_layers.sentiment.trend import Candles15m
from external_layers.sources.facts import (
    BTC_DOMINANCE,
    DOLLAR_INDEX,
    FEAR_GREED,
    MARKET,
    SP500,
    TOTAL_CAP,
    VIX,
    Reading,
)
from external_layers.store.archive import ArchiveWriter
from scalp_strategy.contract import CANDLE_MS, MARKET_WIDE, Component
from scalp_strategy.contract.archive import day_start_ms
from scalp_strategy.errors import ConfigError
from scalp_strategy.layers import ArchiveSource, layer_frame
from scalp_strategy.settings import Settings
from tests.support.recorded import recorded

SETTINGS = Settings()
GRID = Grid(CANDLE_MS, SETTINGS.sidecar.publish_lead_ms)
FIRST = date(2026, 6, 1)
DAY_MS = 86_400_000
PAIR = "SOL/USDT:USDT"


def days(count: int, first: date = FIRST) -> tuple[date, ...]:
    return tuple(first + timedelta(days=number) for number in range(count))


def daily(
    values: Sequence[float], series: str = FEAR_GREED, delay_s: int = 86_400
) -> list[Reading]:
    """One value a day, from ten days before the first on."""
    start = day_start_ms(FIRST) - 10 * DAY_MS
    return [
        Reading(series, MARKET, value, at, at + delay_s * 1_000)
        for value, at in zip(
            values, range(start, start + len(values) * DAY_MS, DAY_MS), strict=True
        )
    ]


def walk(count: int, seed: int) -> Candles15m:
    start = day_start_ms(FIRST) - 6 * DAY_MS
    moves = np.random.default_rng(seed).normal(0.0, 0.004, count)
    close = 50_000.0 * np.exp(np.cumsum(moves))
    times = start + CANDLE_MS * np.arange(1, count + 1)
    return Candles15m(times, close * 1.002, close * 0.998, close)


def made(inputs: SlowInputs, wanted: tuple[date, ...]) -> dict[date, list[Component]]:
    return dict(slow_days(SETTINGS, inputs, wanted, GRID, "futures"))


def test_a_daily_value_is_known_the_day_after_and_no_sooner() -> None:
    values = [50.0] * 10 + [10.0] + [50.0] * 5  # extreme fear on the first day itself
    rows = made(SlowInputs(in_order(daily(values)), None), days(2))
    scores = {
        day: {one.long for one in components if one.name == "fear_greed"}
        for day, components in rows.items()
    }
    assert scores[FIRST] == {50.0}
    (low,) = scores[FIRST + timedelta(days=1)] - {50.0}
    assert low > 75.0


def test_every_instant_has_every_component_and_unknown_ones_say_so() -> None:
    rows = made(SlowInputs(in_order(daily([40.0] * 20)), None), days(1))[FIRST]
    names = {one.name for one in rows if one.pair == MARKET_WIDE}
    assert names >= {"fear_greed", "market_regime", "macro_correlation", "stablecoin_flow"}
    assert {one.available_at_ms % CANDLE_MS for one in rows} == {CANDLE_MS - GRID.lead_ms}
    assert len({one.available_at_ms for one in rows}) == 96
    assert not any(
        one.is_known for one in rows if one.name in ("market_regime", "social_sentiment")
    )


@given(cut=st.integers(1, 3 * 96), seed=st.integers(0, 5))
@settings(max_examples=10, deadline=None)
def test_what_comes_later_changes_nothing_before_it(cut: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    readings = in_order(
        [
            *daily(random.uniform(0, 100, 14).tolist()),
            *daily(random.uniform(40, 60, 14).tolist(), BTC_DOMINANCE),
            *daily((3e12 * np.exp(random.normal(0, 0.05, 14))).tolist(), TOTAL_CAP),
        ]
    )
    candles = walk(10 * 96, seed)
    at = day_start_ms(FIRST) + cut * CANDLE_MS
    known = int(np.searchsorted(candles.close_ms, at, side="right"))
    cut_inputs = SlowInputs(
        [one for one in readings if one.available_at_ms <= at],
        Candles15m(*(column[:known] for column in candles)),
    )
    whole, short = (made(one, days(3)) for one in (SlowInputs(readings, candles), cut_inputs))

    def before(rows: dict[date, list[Component]]) -> list[str]:
        return [repr(one) for each in rows.values() for one in each if one.available_at_ms <= at]

    assert before(whole) == before(short)
    assert any(one.is_known for each in whole.values() for one in each if "regime" in one.name)


def test_it_does_not_matter_where_the_first_day_lies() -> None:
    inputs = SlowInputs(in_order(daily([float(value) for value in range(20, 40)])), walk(1_500, 3))
    whole = made(inputs, days(5))
    assert [repr(one) for one in made(inputs, days(2, FIRST + timedelta(days=3)))[days(5)[4]]] == [
        repr(one) for one in whole[days(5)[4]]
    ]


# ---- the archive ----


def backfilled(
    root: Path, inputs: SlowInputs, wanted: tuple[date, ...], settings_: Settings = SETTINGS
) -> list[SlowResult]:
    request = SlowRequest(("sentiment",), wanted, GRID, "futures")
    with ArchiveWriter(root, settings_.sidecar.archive, lambda: 0) as writer:
        return list(SlowBackfill((root, writer), settings_, inputs, request).run())


def read(root: Path, wanted: tuple[date, ...]) -> pd.DataFrame:
    opens = pd.date_range(wanted[0], periods=96 * len(wanted), freq="15min", tz="UTC")
    return layer_frame(
        ArchiveSource(root), PAIR, opens.to_series().reset_index(drop=True), SETTINGS
    )


def test_a_second_run_goes_on_and_other_inputs_replace(tmp_path: Path) -> None:
    fear, calm = (SlowInputs(in_order(daily([value] * 20)), None) for value in (10.0, 50.0))
    assert {each.outcome for each in backfilled(tmp_path, fear, days(2))} == {Outcome.WRITTEN}
    again = backfilled(tmp_path, fear, days(3))
    assert [each.outcome for each in again] == [Outcome.FINISHED, Outcome.FINISHED, Outcome.WRITTEN]
    assert (read(tmp_path, days(3))["sentiment_long"] > 53.0).all()
    assert {each.outcome for each in backfilled(tmp_path, calm, days(3))} == {Outcome.WRITTEN}
    assert (read(tmp_path, days(3))["sentiment_long"] == 50.0).all()


def test_days_that_were_live_are_left_alone(tmp_path: Path) -> None:
    close = day_start_ms(FIRST) + 10 * CANDLE_MS
    live = Component("sentiment", "fear_greed", MARKET_WIDE, 33.0, 67.0, close, close)
    with ArchiveWriter(tmp_path, SETTINGS.sidecar.archive, lambda: 0) as writer:
        writer.append([live])
    results = backfilled(tmp_path, SlowInputs(in_order(daily([10.0] * 20)), None), days(2))
    assert [each.outcome for each in results] == [Outcome.PRESENT, Outcome.WRITTEN]
    assert read(tmp_path, days(1))["sentiment_long"].iloc[12] == pytest.approx(50 - 0.2 * 17)


def test_a_kill_between_day_and_ledger_makes_the_day_anew(tmp_path: Path) -> None:
    inputs = SlowInputs(in_order(daily([10.0] * 20)), None)
    backfilled(tmp_path, inputs, days(2))
    ledger = tmp_path / SLOW_LEDGER_NAME
    *whole, last = ledger.read_bytes().splitlines(keepends=True)
    ledger.write_bytes(b"".join(whole) + last[:20])  # torn
    before = read(tmp_path, days(2))
    outcomes = [each.outcome for each in backfilled(tmp_path, inputs, days(2))]
    assert outcomes == [Outcome.FINISHED, Outcome.WRITTEN]
    pd.testing.assert_frame_equal(read(tmp_path, days(2)), before)


def test_missing_candles_say_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="download-data"):
        btc_candles(tmp_path, "futures")


def test_the_recorded_past_gives_a_sentiment_history(tmp_path: Path) -> None:
    """Fear & greed and macro are known all through; the regime while dominance is recorded."""
    context, candles = recorded("context"), recorded()
    files = {
        FEAR_GREED: "fng_alternative_me_full_to_2026-06-06.json",
        BTC_DOMINANCE: "btc_dominance_daily_2018_2025-08.csv",
        TOTAL_CAP: "total_mcap_daily_2018_2025-08.csv",
        SP500: "sp500_daily_fred.csv",
        DOLLAR_INDEX: "dollar_index_daily_fred.csv",
        VIX: "vix_daily.csv",
    }
    delays = SETTINGS.sidecar.backfill.series
    readings = [
        one
        for series, name in files.items()
        for one in read_series(
            context / name,
            series,
            FILE_SUBJECT if series in MACRO else MARKET,
            getattr(delays, series),
        )
    ]
    inputs = SlowInputs(in_order(readings), btc_candles(candles, "futures"))
    wanted = days(20, date(2025, 7, 1))
    results = backfilled(tmp_path, inputs, wanted)
    known = [each.record.known for each in results if each.record is not None]
    assert len(known) == 20
    for name in ("fear_greed", "macro_correlation"):
        assert min(one[name] for one in known) == 1.0
    assert np.mean([one["market_regime"] for one in known]) > 0.8
    frame = read(tmp_path, wanted)
    assert frame["sentiment_long"].notna().all()
    assert set(frame["regime"].dropna()) <= {"RISK_ON", "BTC_SEASON", "RISK_OFF", "CHOPPY"}
    # No daily series may raise an alarm.
    assert set(frame["macro"].dropna()) <= {"CALM", "POSITIVE", "NEGATIVE", "EXTREME"}
    # Nobody keeps what was said: the social component's 0.3 are missing all along.
    assert frame["sentiment_reliability"].max() <= 0.7 + 1e-9

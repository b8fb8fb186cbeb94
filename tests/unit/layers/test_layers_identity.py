"""A live bot and a backtest see the same columns: candle by candle, over restarts and outages."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest

from scalp_strategy.confluence import confluence
from scalp_strategy.layers import ArchiveSource, LiveSource, layer_frame, layer_reasons, live_source
from scalp_strategy.settings import Settings, with_overrides
from tests.unit.layers.evidence import (
    BTC,
    CANDLE_MS,
    ETH,
    START_MS,
    candle_dates,
    random_components,
    write_archive,
)
from tests.unit.layers.sidecar_stub import Handler, Sidecar, serving

HOURS = 26
CLOSES = HOURS * 4
LIVE_CANDLES = 24
NUMBERS = ["orderflow_long", "orderflow_short", "orderflow_reliability"]
STATES = ["regime", "macro"]


@pytest.fixture
def sidecar(request) -> Sidecar:
    return Sidecar(rows=random_components(getattr(request, "param", 3), HOURS))


@pytest.fixture
def url(sidecar) -> Iterator[str]:
    with serving(sidecar) as address:
        yield address


@pytest.fixture
def settings(url) -> Settings:
    # The reader's patience is not what is tested here.
    return with_overrides(Settings(), {"sidecar.url": url, "sidecar.timeout_s": 5.0})


def scored(frame: pd.DataFrame, dates: pd.Series, first: int, settings: Settings) -> pd.DataFrame:
    """The frame with the confluence of a made-up technical layer, the same for the same candle."""
    random = np.random.default_rng(9)
    made_up = random.uniform(0, 100, CLOSES)[first : first + len(frame)]
    whole = frame.assign(
        date=dates,
        ta_long=made_up,
        ta_short=100 - made_up,
        technical_reliability=1.0,
        ta_direction=np.where(made_up > 55, 1, -1),
    )
    return pd.concat([frame, confluence(whole, settings)], axis=1)


def last_rows(source: LiveSource, close: int, settings: Settings) -> dict[str, pd.Series]:
    first = max(0, close - LIVE_CANDLES + 1)
    dates = candle_dates(close - first + 1, START_MS + first * CANDLE_MS)
    return {
        pair: scored(layer_frame(source, pair, dates, settings), dates, first, settings).iloc[-1]
        for pair in (BTC, ETH)
    }


def backtest(root, settings: Settings) -> dict[str, pd.DataFrame]:
    dates = candle_dates(CLOSES)
    source = ArchiveSource(root)
    return {
        pair: scored(layer_frame(source, pair, dates, settings), dates, 0, settings)
        for pair in (BTC, ETH)
    }


def assert_same(live: pd.Series, archived: pd.Series) -> None:
    for name in archived.index:
        if name in STATES:
            assert live.get(name) is archived[name] or live[name] == archived[name], name
        else:
            np.testing.assert_array_equal(live[name], archived[name], err_msg=name)


@pytest.mark.parametrize("sidecar", [1, 2], indirect=True)
def test_live_and_backtest_are_bit_identical(sidecar, settings, tmp_path) -> None:
    write_archive(tmp_path, sidecar.rows)
    expected = backtest(tmp_path, settings)
    assert all(frame[NUMBERS].notna().any().all() for frame in expected.values())
    assert expected[BTC]["regime"].notna().any()
    source = live_source(settings, {})
    for close in range(CLOSES):
        if close % 37 == 23:  # the bot is restarted
            source = live_source(settings, {})
        close_ms = START_MS + close * CANDLE_MS
        assert source.refresh(close_ms, [BTC, ETH]).problem is None
        for pair, row in last_rows(source, close, settings).items():
            assert_same(row, expected[pair].iloc[close])


def test_reasons_are_the_frames_scores(sidecar, settings, tmp_path) -> None:
    write_archive(tmp_path, sidecar.rows)
    archive = ArchiveSource(tmp_path)
    source = live_source(settings, {})
    for close in range(0, CLOSES, 13):
        close_ms = START_MS + close * CANDLE_MS
        source.refresh(close_ms, [BTC])
        frame = layer_frame(archive, BTC, candle_dates(1, close_ms), settings).iloc[0]
        archived = layer_reasons(archive, BTC, close_ms, "orderflow", settings)
        live = layer_reasons(source, BTC, close_ms, "orderflow", settings)
        assert (live.reasons, live.ages_s) == (archived.reasons, archived.ages_s)
        for score in (live, archived):
            said = [score.long, score.short, score.reliability]
            np.testing.assert_array_equal(said, frame[NUMBERS].to_numpy(dtype=np.float64))


def test_an_outage_fades_and_leaves_no_trace(sidecar, settings, tmp_path) -> None:
    write_archive(tmp_path, sidecar.rows)
    expected = backtest(tmp_path, settings)
    outage = range(90, 97)

    def refuse(handler: Handler) -> None:
        handler.answer(b"{}", status=500)

    source = live_source(settings, {})
    before: dict[str, float] = {}
    for close in range(80, 104):
        sidecar.fault = refuse if close in outage else None
        report = source.refresh(START_MS + close * CANDLE_MS, [BTC, ETH])
        assert (report.problem is not None) == (close in outage)
        for pair, row in last_rows(source, close, settings).items():
            if close in outage:
                assert row["orderflow_reliability"] <= before[pair]
            else:
                assert_same(row, expected[pair].iloc[close])
            before[pair] = row["orderflow_reliability"]


def test_the_future_of_the_archive_changes_nothing(sidecar, settings, tmp_path) -> None:
    cut_ms = START_MS + 77 * CANDLE_MS
    write_archive(tmp_path / "whole", sidecar.rows)
    known = [one for one in sidecar.rows if one.available_at_ms <= cut_ms]
    write_archive(tmp_path / "cut", known, parts_a_day=5)
    dates = candle_dates(78)
    whole, cut = (
        layer_frame(ArchiveSource(tmp_path / name), BTC, dates, settings)
        for name in ("whole", "cut")
    )
    pd.testing.assert_frame_equal(whole, cut, check_exact=True)


def test_a_pair_that_joins_late_or_returns_is_complete(sidecar, settings, tmp_path) -> None:
    write_archive(tmp_path, sidecar.rows)
    expected = backtest(tmp_path, settings)
    source = live_source(settings, {})
    for close in range(CLOSES):
        is_away = close < 20 or 40 <= close < 44 or 60 <= close < 95
        source.refresh(START_MS + close * CANDLE_MS, [BTC] if is_away else [BTC, ETH])
        rows = last_rows(source, close, settings)
        assert_same(rows[BTC], expected[BTC].iloc[close])
        if not is_away:
            assert_same(rows[ETH], expected[ETH].iloc[close])

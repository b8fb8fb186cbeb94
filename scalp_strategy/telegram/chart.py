"""A pair's candles as a picture, for /why."""

import io
import threading
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Final, TypeAlias

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray
from pandas import DataFrame

from scalp_strategy.analysed import CANDLE_MINUTES
from scalp_strategy.settings import Settings
from scalp_strategy.telegram.facts import Levels
from scalp_strategy.telegram.status_format import price_text

FloatArray: TypeAlias = NDArray[np.float64]

_UP: Final = "#27ae60"
_DOWN: Final = "#c0392b"
_GREY: Final = "#95a5a6"
_VWAP: Final = "#f39c12"
_INCHES: Final = (10.0, 6.5)
_DPI: Final = 110
_BODY: Final = 4.0
_TICKS: Final = 6
_MARGIN: Final = 0.05
_EMA_COLORS: Final = ("#85c1e9", "#2e86c1", "#8e44ad", "#34495e")
_STEPS: Final = (("support", _UP), ("resistance", _DOWN))
# Fonts are cached in the process and by nobody's thread.
_lock: Final = threading.Lock()


def chart(
    pair: str, frame: DataFrame, settings: Settings, levels: Levels | None = None
) -> bytes | None:
    """Return a PNG of the last candles with averages, levels, a trade's prices and the scores.

    Parameters
    ----------
    pair
        For the title.
    frame
        Analysed candles of 15m.
    settings
        `telegram.chart_candles`, the averages' periods, the tiers' thresholds.
    levels
        Entry, stop and targets of a trade or signal.

    Returns
    -------
    bytes or None
        None where there is nothing to draw.
    """
    shown = frame.tail(settings.telegram.chart_candles).reset_index(drop=True)
    if shown.empty or not np.isfinite(_column(shown, "close")).any():
        return None
    with _lock:
        return _drawn(pair, shown, settings, levels)


def _drawn(pair: str, shown: DataFrame, settings: Settings, levels: Levels | None) -> bytes:
    # A figure of its own, unknown to pyplot: it goes with the last reference.
    figure = Figure(figsize=_INCHES, dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    prices, scores = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    _candles(prices, shown)
    _averages(prices, shown, settings)
    drawn = _levels(prices, levels) if levels is not None else []
    _limits(prices, shown, drawn)
    prices.set_title(f"{pair}  15m  {_last_close(shown)} UTC", loc="left", parse_math=False)
    if prices.get_legend_handles_labels()[0]:
        prices.legend(loc="upper left", fontsize=7, ncols=4)
    _scores(scores, shown, settings)
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    return picture.getvalue()


def _column(shown: DataFrame, name: str) -> FloatArray:
    return shown[name].to_numpy(dtype=np.float64)


def _last_close(shown: DataFrame) -> str:
    opened: Any = shown["date"].iat[-1]
    return f"{opened + timedelta(minutes=CANDLE_MINUTES):%Y-%m-%d %H:%M}"


def _candles(axes: Any, shown: DataFrame) -> None:
    opened, high, low, close = (_column(shown, name) for name in ("open", "high", "low", "close"))
    colors = np.where(close >= opened, _UP, _DOWN).tolist()
    places = np.arange(len(shown))
    for bottom, top, width in ((low, high, 1.0), (opened, close, _BODY)):
        segments = [
            [(x, start), (x, end)] for x, start, end in zip(places, bottom, top, strict=True)
        ]
        axes.add_collection(LineCollection(segments, colors=colors, linewidths=width))
    axes.grid(alpha=0.2)


def _averages(axes: Any, shown: DataFrame, settings: Settings) -> None:
    ema = settings.technical.ema
    periods = (ema.fast, ema.medium, ema.slow, ema.long)
    lines = [(f"ema_{period}", color) for period, color in zip(periods, _EMA_COLORS, strict=True)]
    for name, color in (*lines, ("vwap", _VWAP)):
        if _is_known(shown, name):
            axes.plot(_column(shown, name), color=color, lw=0.9, label=name)
    for name, color in _STEPS:
        if _is_known(shown, name):
            values = _column(shown, name)
            axes.plot(values, color=color, lw=0.9, ls=":", drawstyle="steps-mid", label=name)


def _is_known(shown: DataFrame, name: str) -> bool:
    return name in shown and bool(np.isfinite(_column(shown, name)).any())


def _levels(axes: Any, levels: Levels) -> list[float]:
    """Draw entry, stop and targets, and return their prices."""
    named = [("entry", levels.entry, _GREY), ("stop", levels.stop, _DOWN)]
    named += [(f"TP{place}", price, _UP) for place, price in enumerate(levels.targets, start=1)]
    known = [(name, price, color) for name, price, color in named if np.isfinite(price)]
    for name, price, color in known:
        axes.axhline(price, color=color, ls="--", lw=1.0, label=f"{name} {price_text(price)}")
    return [price for _, price, _ in known]


def _limits(axes: Any, shown: DataFrame, levels: Iterable[float]) -> None:
    """Show every candle and level; averages that are far away may leave the picture."""
    low = min(float(np.nanmin(_column(shown, "low"))), *levels, np.inf)
    high = max(float(np.nanmax(_column(shown, "high"))), *levels, -np.inf)
    margin = _MARGIN * ((high - low) or abs(high) or 1.0)
    axes.set_xlim(-1, len(shown) + 1)
    axes.set_ylim(low - margin, high + margin)


def _scores(axes: Any, shown: DataFrame, settings: Settings) -> None:
    for side, color in (("long", _UP), ("short", _DOWN)):
        name = f"confluence_{side}"
        if name in shown:
            axes.plot(_column(shown, name), color=color, lw=1.0, label=side)
    for threshold in (settings.confluence.medium_threshold, settings.confluence.high_threshold):
        axes.axhline(threshold, color=_GREY, ls=":", lw=0.8)
    axes.set_ylim(0, 100)
    axes.set_ylabel("confluence")
    axes.grid(alpha=0.2)
    ticks = np.linspace(0, len(shown) - 1, min(_TICKS, len(shown)), dtype=int)
    axes.set_xticks(ticks, [f"{shown['date'].iat[tick]:%d %H:%M}" for tick in ticks])

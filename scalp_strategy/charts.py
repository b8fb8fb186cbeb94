"""What FreqUI shows: plot configuration and annotations."""

from typing import Any, Final

import numpy as np
from freqtrade.ft_types import AnnotationType
from pandas import DataFrame

from scalp_strategy.settings import Settings
from scalp_strategy.technical import PATTERNS

_EMA_COLORS: Final = ("#7fb3d5", "#2e86c1", "#1b4f72", "#641e16")
_GREEN: Final = "#27ae60"
_RED: Final = "#c0392b"
_LONG_COLOR: Final = "rgba(39, 174, 96, 0.25)"
_SHORT_COLOR: Final = "rgba(192, 57, 43, 0.25)"
_POINT_SIZE: Final = 8


def plot_config(settings: Settings) -> dict[str, Any]:
    """Return FreqUI's plot configuration; columns are named by the periods in the settings."""
    technical = settings.technical
    emas = (technical.ema.fast, technical.ema.medium, technical.ema.slow, technical.ema.long)
    main = {f"ema_{period}": color for period, color in zip(emas, _EMA_COLORS, strict=True)}
    main |= {"vwap": "#f39c12", "bb_upper": "#bfc9ca", "bb_lower": "#bfc9ca"}
    main |= {"support": _GREEN, "resistance": _RED}
    return {
        "main_plot": {name: {"color": color} for name, color in main.items()},
        "subplots": {
            "Confluence": _sides("confluence"),
            "Technical": _sides("ta"),
            "Order flow": _sides("orderflow"),
            "Base rate": _sides("base_rate"),
            "Coverage": {"coverage": {"color": "#8e44ad"}},
            "Tier": {"tier": {"color": "#d35400", "type": "bar"}},
            "Stop %": {"sl_pct": {"color": "#7f8c8d"}},
            "RSI": {f"rsi_{technical.rsi.period}": {"color": "#2e86c1"}},
            "Volume ratio": {"volume_ratio": {"color": "#f39c12", "type": "bar"}},
        },
    }


def _sides(prefix: str) -> dict[str, dict[str, str]]:
    return {f"{prefix}_long": {"color": _GREEN}, f"{prefix}_short": {"color": _RED}}


def annotations(frame: DataFrame) -> list[AnnotationType]:
    """Return points for detected patterns, areas for open fair value gaps, and the two levels.

    Parameters
    ----------
    frame
        The analysed candles of the chart's range.
    """
    if frame.empty:
        return []
    return [*_pattern_points(frame), *_gap_areas(frame), *_level_lines(frame)]


def _pattern_points(frame: DataFrame) -> list[AnnotationType]:
    points: list[AnnotationType] = []
    dates, close = list(frame["date"]), frame["close"].to_numpy(dtype=np.float64)
    for pattern in PATTERNS:
        signed = frame[pattern.name].to_numpy(dtype=np.float64)
        points.extend(
            {
                "type": "point",
                "x": dates[row],
                "y": float(close[row]),
                "size": _POINT_SIZE,
                "shape": "triangle",
                "rotate": 0 if signed[row] > 0 else 180,
                "color": _LONG_COLOR if signed[row] > 0 else _SHORT_COLOR,
                "label": f"{pattern.name} {abs(signed[row]):.0f}",
            }
            for row in np.flatnonzero(np.nan_to_num(signed))
        )
    return points


def _gap_areas(frame: DataFrame) -> list[AnnotationType]:
    top = frame["fvg_top"].to_numpy(dtype=np.float64)
    bottom = frame["fvg_bottom"].to_numpy(dtype=np.float64)
    is_same = np.zeros(len(frame), dtype=bool)
    is_same[1:] = (top[1:] == top[:-1]) & (bottom[1:] == bottom[:-1])
    dates, close = list(frame["date"]), frame["close"].to_numpy(dtype=np.float64)
    starts = np.flatnonzero(np.isfinite(top) & ~is_same)
    breaks = np.append(np.flatnonzero(~is_same), len(frame))
    areas: list[AnnotationType] = []
    for start in starts:
        end = breaks[np.searchsorted(breaks, start, side="right")] - 1
        is_below = close[start] >= top[start]
        areas.append(
            {
                "type": "area",
                "start": dates[start],
                "end": dates[end],
                "y_start": float(bottom[start]),
                "y_end": float(top[start]),
                "color": _LONG_COLOR if is_below else _SHORT_COLOR,
                "label": "fair value gap",
            }
        )
    return areas


def _level_lines(frame: DataFrame) -> list[AnnotationType]:
    lines: list[AnnotationType] = []
    for name, color in (("support", _LONG_COLOR), ("resistance", _SHORT_COLOR)):
        level = float(frame[name].to_numpy(dtype=np.float64)[-1])
        if np.isfinite(level):
            lines.append(
                {
                    "type": "line",
                    "start": frame["date"].iat[0],
                    "end": frame["date"].iat[-1],
                    "y_start": level,
                    "y_end": level,
                    "line_style": "dashed",
                    "color": color,
                    "label": name,
                }
            )
    return lines

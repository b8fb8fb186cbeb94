"""What FreqUI shows: plot configuration and annotations."""

from typing import Any, Final

import numpy as np
from freqtrade.ft_types import AnnotationType
from pandas import DataFrame

from scalp_strategy.technical import PATTERNS

PLOT_CONFIG: Final[dict[str, Any]] = {
    "main_plot": {
        "ema_9": {"color": "#7fb3d5"},
        "ema_21": {"color": "#2e86c1"},
        "ema_50": {"color": "#1b4f72"},
        "ema_200": {"color": "#641e16"},
        "vwap": {"color": "#f39c12"},
        "bb_upper": {"color": "#bfc9ca"},
        "bb_lower": {"color": "#bfc9ca"},
        "support": {"color": "#27ae60"},
        "resistance": {"color": "#c0392b"},
    },
    "subplots": {
        "Confluence": {
            "confluence_long": {"color": "#27ae60"},
            "confluence_short": {"color": "#c0392b"},
        },
        "Technical": {"ta_long": {"color": "#27ae60"}, "ta_short": {"color": "#c0392b"}},
        "Coverage": {"coverage": {"color": "#8e44ad"}},
        "Tier": {"tier": {"color": "#d35400", "type": "bar"}},
        "Stop %": {"sl_pct": {"color": "#7f8c8d"}},
        "RSI": {"rsi_14": {"color": "#2e86c1"}},
        "Volume ratio": {"volume_ratio": {"color": "#f39c12", "type": "bar"}},
    },
}

_LONG_COLOR: Final = "rgba(39, 174, 96, 0.25)"
_SHORT_COLOR: Final = "rgba(192, 57, 43, 0.25)"
_POINT_SIZE: Final = 8


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

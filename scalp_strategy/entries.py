"""From scored candles to entry columns: the stop, the gates and the tag (vectorised)."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from pandas import DataFrame, Series

from scalp_strategy.confluence import rounded
from scalp_strategy.contract import LONG, NEUTRAL, SHORT, TIER_NAMES, TIER_NONE
from scalp_strategy.risk import stop_distance
from scalp_strategy.settings import Settings
from scalp_strategy.technical import SETUP_NAMES

Floats = NDArray[np.float64]

# Freqtrade keeps at most this many characters of a tag.
TAG_MAX_LENGTH: Final = 255
CHOPPY: Final = "CHOPPY"


def stop_columns(frame: DataFrame, settings: Settings) -> dict[str, Floats]:
    """Return the stop of an entry at each close.

    Parameters
    ----------
    frame
        `close`, the ATR column, optionally `regime`.
    settings
        The risk settings.

    Returns
    -------
    dict of arrays, shape (rows,)
        `stop_factor` (0.8 in CHOPPY, else 1) and `sl_pct`, the distance in percent of the close,
        NaN where there is no valid stop.
    """
    factor = np.ones(len(frame))
    if "regime" in frame:
        is_choppy = (frame["regime"] == CHOPPY).to_numpy(dtype=bool)
        factor[is_choppy] = settings.risk.choppy_stop_factor
    close = frame["close"].to_numpy(dtype=np.float64)
    atr = frame[atr_column(settings)].to_numpy(dtype=np.float64)
    distance = stop_distance(atr, close, settings.risk, factor)
    with np.errstate(divide="ignore", invalid="ignore"):
        sl_pct = np.where(close > 0, distance / close * 100.0, np.nan)
    return {"stop_factor": factor, "sl_pct": sl_pct}


def entry_columns(frame: DataFrame, settings: Settings, *, can_short: bool) -> DataFrame:
    """Return the candidates and Freqtrade's entry columns.

    Parameters
    ----------
    frame
        A frame with the columns of the technical layer, of `confluence` and of `stop_columns`.
    settings
        The entry gates.
    can_short
        False in spot: a short is then no candidate.

    Returns
    -------
    DataFrame
        Same index: `is_candidate` (a tier is reached), `enter_long`, `enter_short` (0/1: the gates
        are passed too) and `enter_tag` ("HIGH 84 breakout", None elsewhere).
    """
    direction = frame["direction"].to_numpy(dtype=np.int8)
    is_side_open = (direction == LONG) | ((direction == SHORT) & can_short)
    is_candidate = (frame["tier"].to_numpy() > TIER_NONE) & is_side_open
    is_entry = is_candidate & passes_gates(frame, settings)
    if settings.signals_only:
        is_entry = np.zeros(len(frame), dtype=bool)
    return DataFrame(
        {
            "is_candidate": is_candidate,
            "enter_long": (is_entry & (direction == LONG)).astype(np.int8),
            "enter_short": (is_entry & (direction == SHORT)).astype(np.int8),
            "enter_tag": Series(_tags(frame, is_entry), index=frame.index, dtype=object),
        },
        index=frame.index,
    )


def passes_gates(frame: DataFrame, settings: Settings) -> NDArray[np.bool_]:
    """Return where volatility, participation and the stop allow an entry; unknown does not."""
    gates = settings.entry
    has_range = frame["atr_pct"].to_numpy(dtype=np.float64) >= gates.min_atr_pct
    has_volume = frame["volume_ratio"].to_numpy(dtype=np.float64) >= gates.min_volume_ratio
    has_stop = np.isfinite(frame["sl_pct"].to_numpy(dtype=np.float64))
    allowed: NDArray[np.bool_] = has_range & has_volume & has_stop
    return allowed


def gate_reason(atr_pct: float, volume_ratio: float, settings: Settings) -> str | None:
    """Say in words which entry gate refuses a candle, None when none does."""
    gates = settings.entry
    if not atr_pct >= gates.min_atr_pct:
        return f"ATR {atr_pct:.2f} % of price is below {gates.min_atr_pct:g} %: too little movement"
    if not volume_ratio >= gates.min_volume_ratio:
        return (
            f"volume {volume_ratio:.2f}x its mean is below {gates.min_volume_ratio:g}x: "
            "no participation"
        )
    return None


def setup_name(code: int) -> str:
    """Return the name of a setup code; "none" where no setup leads."""
    return SETUP_NAMES[code] if 0 <= code < len(SETUP_NAMES) else "none"


def atr_column(settings: Settings) -> str:
    """Return the name of the ATR column."""
    return f"atr_{settings.technical.atr_period}"


def tag(tier: int, score: float, setup: int) -> str:
    """Return an entry tag: tier, score and setup; the host knows the side, and lists every tag."""
    return f"{TIER_NAMES[tier]} {score:.0f} {setup_name(setup)}"[:TAG_MAX_LENGTH]


def _tags(frame: DataFrame, is_entry: NDArray[np.bool_]) -> NDArray[np.object_]:
    tags = np.full(len(frame), None, dtype=object)
    rows = np.flatnonzero(is_entry)
    if not len(rows):
        return tags
    direction = frame["direction"].to_numpy()[rows]
    setups = np.select(
        [direction == LONG, direction == SHORT],
        [frame["setup_long"].to_numpy()[rows], frame["setup_short"].to_numpy()[rows]],
        NEUTRAL,
    )
    scores = rounded(frame["confluence"].to_numpy(dtype=np.float64)[rows])
    tiers = frame["tier"].to_numpy()[rows]
    tags[rows] = [tag(*parts) for parts in zip(tiers, scores, setups, strict=True)]
    return tags

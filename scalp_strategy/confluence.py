"""Five layers of evidence become one score per side, a direction and a tier.

For a side, ``score = min(100, factor * sum(w_i * e_i))`` with the effective score of layer i. That
of a layer made of aged components is its score: each component's support has faded there already
(see `contract.combine`). Of the technical and the base-rate layer

- ``e = 50 + r * (s - 50)`` for support (s > 50): it fades with reliability r;
- ``e = s`` for opposition (s <= 50): it does not;
- ``e = min(50, last score)`` while the layer is silent for at most `opposition_max_age_s`, then 50.

A layer that never spoke, or is forgotten, counts as 50.

So losing support can never raise a score, and a layer that goes silent says no more for a side than
its last word did, for as long as that counts. Opposition that was never heard, or is older than
that, cannot count; it shows in `coverage`, ``sum(w_i * r_i)``: the share of the evidence that is
known and fresh.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pandas import DataFrame

from scalp_strategy.contract import (
    COMPONENT_LAYERS,
    LAYERS,
    LONG,
    NEUTRAL,
    SHORT,
    TIER_HIGH,
    TIER_MEDIUM,
    TIER_NONE,
    layer_column,
)
from scalp_strategy.errors import ContractViolation
from scalp_strategy.setting_groups.confluence import RegimeFactors
from scalp_strategy.settings import Settings

Floats = NDArray[np.float64]

NEUTRAL_SCORE: Final = 50.0
MAX_SCORE: Final = 100.0
_NS_PER_S: Final = 1_000_000_000
_NS_PER_HOUR: Final = 3_600 * _NS_PER_S
_CANDLE_NS: Final = 15 * 60 * _NS_PER_S


def confluence(frame: DataFrame, settings: Settings | None = None) -> DataFrame:
    """Weigh the layers' scores of every candle.

    Parameters
    ----------
    frame
        Rows in time order with `date` (the candle's open, UTC), `ta_long`, `ta_short`,
        `technical_reliability`, `ta_direction`, and for every other layer that exists
        `<layer>_long`, `<layer>_short` (0..100, NaN = silent) and `<layer>_reliability` (0..1);
        optionally `regime` (names of the market regime, None = unknown).
    settings
        Weights, thresholds, coverage and regime factors.

    Returns
    -------
    DataFrame
        Same index: `confluence_long`, `confluence_short` (0..100), `coverage` (0..1),
        `confluence` (the score of the direction's side, or the larger one), `direction` (+1, -1,
        0), `threshold_shift` (points), `tier` (0 none, 1 MEDIUM, 2 HIGH) and `is_tier_capped`
        (HIGH by score, MEDIUM for want of coverage).

    Notes
    -----
    Causal: row t uses rows up to t only, and of the past only the last score of a silent layer.

    Raises
    ------
    ContractViolation
        When a required column is missing or the rows are not in time order.
    """
    settings = settings or Settings()
    _check(frame)
    dates = _epoch_ns(frame)
    long = np.zeros(len(frame))
    short = np.zeros(len(frame))
    coverage = np.zeros(len(frame))
    max_age_ns = settings.confluence.opposition_max_age_s * _NS_PER_S
    for name in LAYERS:
        weight: float = getattr(settings.confluence.weights, name)
        layer = _layer(frame, name)
        if name in COMPONENT_LAYERS:
            long += weight * _or_neutral(layer.long)
            short += weight * _or_neutral(layer.short)
        else:
            long += weight * _effective(layer.long, layer, dates, max_age_ns)
            short += weight * _effective(layer.short, layer, dates, max_age_ns)
        coverage += weight * layer.reliability
    factor_long, factor_short = _regime_factors(frame, dates, settings)
    return _decide_columns(
        frame,
        np.minimum(MAX_SCORE, long * factor_long),
        np.minimum(MAX_SCORE, short * factor_short),
        coverage,
        settings,
    )


def rounded(score: ArrayLike) -> Floats:
    """Round half up, as scores are before they meet a threshold (float noise removed first)."""
    points: Floats = np.floor(np.round(np.asarray(score, dtype=np.float64), 9) + 0.5)
    return points


@dataclass(frozen=True, slots=True)
class _Layer:
    long: Floats
    short: Floats
    reliability: Floats
    is_known: NDArray[np.bool_]


def _layer(frame: DataFrame, name: str) -> _Layer:
    long = _column(frame, layer_column(name, "long"))
    short = _column(frame, layer_column(name, "short"))
    reliability = _column(frame, layer_column(name, "reliability"))
    is_known = np.isfinite(long) & np.isfinite(short) & (reliability > 0)
    return _Layer(long, short, np.where(is_known, np.minimum(reliability, 1.0), 0.0), is_known)


def _or_neutral(score: Floats) -> Floats:
    return np.where(np.isfinite(score), score, NEUTRAL_SCORE)


def _effective(score: Floats, layer: _Layer, dates: NDArray[np.int64], max_age_ns: int) -> Floats:
    support = NEUTRAL_SCORE + layer.reliability * (score - NEUTRAL_SCORE)
    spoken = np.where(score > NEUTRAL_SCORE, support, score)
    if layer.is_known.all():
        return spoken
    last, has_last = _last_known(layer.is_known, dates, max_age_ns)
    silent = np.where(has_last, np.minimum(NEUTRAL_SCORE, score[last]), NEUTRAL_SCORE)
    return np.where(layer.is_known, spoken, silent)


def _last_known(
    is_known: NDArray[np.bool_], dates: NDArray[np.int64], max_age_ns: int
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Row of the last known value at or before each row, and whether it is young enough."""
    rows = np.where(is_known, np.arange(len(is_known)), -1)
    last = np.maximum.accumulate(rows) if len(rows) else rows
    row = np.maximum(last, 0)
    return row, (last >= 0) & (dates - dates[row] <= max_age_ns)


def _regime_factors(
    frame: DataFrame, dates: NDArray[np.int64], settings: Settings
) -> tuple[Floats, Floats]:
    """Multipliers of the regime; a regime that went silent keeps its penalty, not its boost."""
    if "regime" not in frame:
        ones = np.ones(len(frame))
        return ones, ones
    given = frame["regime"].to_numpy(dtype=object)
    is_known = np.array([isinstance(name, str) for name in given], dtype=bool)
    names = np.where(is_known, given, "")
    last, has_last = _last_known(
        is_known, dates, settings.confluence.opposition_max_age_s * _NS_PER_S
    )
    factors = []
    for side in ("long", "short"):
        own = _factor_of(names, side, settings.confluence.regime)
        kept = np.where(has_last, np.minimum(1.0, own[last]), 1.0)
        factors.append(np.where(is_known, own, kept))
    return factors[0], factors[1]


def _factor_of(names: NDArray[np.object_], side: str, regime: RegimeFactors) -> Floats:
    factors = np.ones(len(names))
    factors[names == "RISK_ON"] = getattr(regime, f"risk_on_{side}")
    factors[names == "RISK_OFF"] = getattr(regime, f"risk_off_{side}")
    return factors


def _decide_columns(
    frame: DataFrame, long: Floats, short: Floats, coverage: Floats, settings: Settings
) -> DataFrame:
    rules = settings.confluence
    direction = frame["ta_direction"].to_numpy(dtype=np.int8)
    larger = np.maximum(long, short)
    score = np.select([direction == LONG, direction == SHORT], [long, short], larger)
    shift = threshold_shift(_epoch_ns(frame), settings)
    points = rounded(score)
    is_high = points >= rules.high_threshold + shift
    is_medium = points >= rules.medium_threshold + shift
    covered = np.round(coverage, 9)
    has_signal = (direction != NEUTRAL) & is_medium & (covered >= rules.min_coverage)
    is_covered_high = covered >= rules.min_coverage_high
    tier = np.where(has_signal, np.where(is_high & is_covered_high, TIER_HIGH, TIER_MEDIUM), 0)
    return DataFrame(
        {
            "confluence_long": long,
            "confluence_short": short,
            "confluence": score,
            "coverage": coverage,
            "direction": direction,
            "threshold_shift": shift,
            "tier": tier.astype(np.int8) if len(tier) else np.full(0, TIER_NONE, dtype=np.int8),
            "is_tier_capped": has_signal & is_high & ~is_covered_high,
        },
        index=frame.index,
    )


def threshold_shift(open_ns: NDArray[np.int64], settings: Settings) -> Floats:
    """Return the points added to both tier thresholds, by the UTC hour of the candle's close."""
    close_hour = (open_ns + _CANDLE_NS) // _NS_PER_HOUR % 24
    is_low_quality = np.isin(close_hour, settings.breakers.low_quality_hours)
    return np.where(is_low_quality, settings.breakers.low_quality_shift, 0.0)


def _column(frame: DataFrame, name: str) -> Floats:
    if name not in frame:
        return np.full(len(frame), np.nan)
    return frame[name].to_numpy(dtype=np.float64)


def _epoch_ns(frame: DataFrame) -> NDArray[np.int64]:
    # `.array.asi8` avoids the slow conversion of a tz-aware column to objects.
    epoch: NDArray[np.int64] = frame["date"].dt.as_unit("ns").array.asi8
    return epoch


def _check(frame: DataFrame) -> None:
    required = ("date", "ta_long", "ta_short", "technical_reliability", "ta_direction")
    missing = [name for name in required if name not in frame]
    if missing:
        raise ContractViolation(f"confluence needs the columns {', '.join(missing)}")
    if not frame["date"].is_monotonic_increasing:
        raise ContractViolation("confluence needs rows in time order")

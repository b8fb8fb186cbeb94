"""What every layer says of one candle: for the journal, for messages and for /why."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from scalp_strategy.analysed import AnalysedPair, instant_ns
from scalp_strategy.base_rate import SETUP_LABELS, side_column
from scalp_strategy.contract import COMPONENT_LAYERS, LAYERS, Side, layer_column, side_of
from scalp_strategy.entries import gate_reason
from scalp_strategy.layers import LayerSource, layer_reasons
from scalp_strategy.settings import Settings
from scalp_strategy.technical import technical_reasons

_NS_PER_MS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class LayerEvidence:
    """What one layer says: support for either side, 0..100, and reasons, the best first.

    `reliability` is in [0, 1]; NaN scores are unknown.
    """

    long: float
    short: float
    reliability: float
    reasons: tuple[str, ...] = ()

    def score(self, side: Side) -> float:
        """Return the support for a side."""
        return self.long if side == "long" else self.short


@dataclass(frozen=True, slots=True)
class Past:
    """How the setup has ended before: `samples` occurrences, discounted, and their mean in R."""

    win_rate_pct: float
    samples: float
    mean_r: float
    setup: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything known of one pair's candle, seen from one side.

    Attributes
    ----------
    side
        The direction's; without one the side with more confluence.
    has_direction
        Whether the technical layer has a direction.
    layers
        By name; `base_rate` has no reasons, `past` is what it rests on.
    past
        None where the setup is unknown.
    confluence
        Of `long` and `short`, 0..100.
    gate
        Why the entry gates refuse the candle, None when they do not.
    """

    pair: str
    close_time: datetime
    side: Side
    has_direction: bool
    price: float
    layers: Mapping[str, LayerEvidence]
    past: Past | None
    regime: str | None
    macro: str | None
    confluence_long: float
    confluence_short: float
    coverage: float
    tier: int
    threshold_shift: float
    sl_pct: float
    gate: str | None


def evidence_at(
    analysed: AnalysedPair,
    close: datetime,
    source: LayerSource,
    settings: Settings,
    side: Side | None = None,
) -> Evidence | None:
    """Return what is known of the candle that closed then; None when it is not here.

    Parameters
    ----------
    analysed
        The pair's analysed candles.
    close
        The candle's close, UTC.
    source
        Where the outside layers' reasons are read.
    settings
        Weights and periods.
    side
        The side to speak for; by default the direction's.
    """
    row = analysed.row(instant_ns(close))
    if not row:
        return None
    spoken = side or _side(row)
    origin = source, analysed.pair, close
    return Evidence(
        pair=analysed.pair,
        close_time=close,
        side=spoken,
        has_direction=bool(row.get("direction")),
        price=_number(row, "close"),
        layers={name: _layer(row, name, spoken, origin, settings) for name in LAYERS},
        past=_past(row, spoken),
        regime=_word(row, "regime"),
        macro=_word(row, "macro"),
        confluence_long=_number(row, "confluence_long"),
        confluence_short=_number(row, "confluence_short"),
        coverage=_number(row, "coverage"),
        tier=int(row.get("tier", 0)),
        threshold_shift=_number(row, "threshold_shift"),
        sl_pct=_number(row, "sl_pct"),
        gate=gate_reason(_number(row, "atr_pct"), _number(row, "volume_ratio"), settings),
    )


def _side(row: Mapping[str, Any]) -> Side:
    direction = int(row.get("direction", 0))
    if direction:
        return side_of(direction)
    return (
        "long" if _number(row, "confluence_long") >= _number(row, "confluence_short") else "short"
    )


def _layer(
    row: Mapping[str, Any],
    name: str,
    side: Side,
    origin: tuple[LayerSource, str, datetime],
    settings: Settings,
) -> LayerEvidence:
    source, pair, close = origin
    reasons: tuple[str, ...] = ()
    if name == "technical":
        reasons = tuple(technical_reasons(row, side, settings))
    elif name in COMPONENT_LAYERS:
        close_ms = instant_ns(close) // _NS_PER_MS
        reasons = tuple(layer_reasons(source, pair, close_ms, name, settings).reasons)
    return LayerEvidence(
        _number(row, layer_column(name, "long")),
        _number(row, layer_column(name, "short")),
        _number(row, layer_column(name, "reliability")),
        reasons,
    )


def _past(row: Mapping[str, Any], side: Side) -> Past | None:
    names = ("win_rate", "samples", "mean_r", "setup")
    values = [_number(row, side_column(name, side)) for name in names]
    if not all(math.isfinite(value) for value in values):
        return None
    win_rate, samples, mean_r, setup = values
    return Past(win_rate * 100, samples, mean_r, SETUP_LABELS[int(setup)])


def _number(row: Mapping[str, Any], name: str) -> float:
    value = row.get(name)
    return math.nan if value is None else float(value)


def _word(row: Mapping[str, Any], name: str) -> str | None:
    value = row.get(name)
    return value if isinstance(value, str) else None

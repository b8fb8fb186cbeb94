"""Readings and metrics of made-up pairs, good unless told otherwise."""

from dataclasses import replace
from math import nan
from typing import Any

from external_layers.scanner.metrics import PairMetrics, measured
from external_layers.scanner.scores import Readings
from scalp_strategy.setting_groups.scanner import ScannerSettings

GOOD = Readings(
    volume_24h=10_000_000.0,
    spread_pct=0.02,
    change_24h_pct=-2.0,
    price=10.0,
    history_candles=200,
    atr_pct=0.6,
    depth_usdt=200_000.0,
)


def metrics_of(
    readings: Readings = GOOD, settings: ScannerSettings | None = None, **changes: Any
) -> PairMetrics:
    """Return the metrics of SOL with some readings changed."""
    known = replace(readings, **changes)
    return measured(("SOL/USDT", "SOLUSDT"), known, settings or ScannerSettings(), (1_000, {}))


def scored(pair: str, score: float, **changes: Any) -> PairMetrics:
    """Return metrics of a pair with a given opportunity score; `fails` names a filter."""
    failure = changes.pop("fails", "")
    qualified = score > 50 and not failure
    metrics = replace(
        metrics_of(),
        pair=pair,
        symbol=pair.replace("/", ""),
        opportunity_score=nan if failure == "unknown" else score,
        qualified=qualified,
        reasons=() if qualified else (failure or f"opportunity score {score} is not above 50",),
    )
    return replace(metrics, **changes)

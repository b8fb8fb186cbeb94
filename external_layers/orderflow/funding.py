"""Funding rate: the side that pays much is crowded."""

from external_layers.anchors import NEUTRAL, Curve
from external_layers.evidence import Evidence, unknown
from external_layers.orderflow.state import PairState
from scalp_strategy.setting_groups.orderflow import OrderFlowSettings


def funding_scores(rate_pct: float, settings: OrderFlowSettings) -> tuple[float, float]:
    """Return support for long and short from the funding rate.

    Above +0.05 % longs are crowded: 30 for a long, 80 for a short; within +-0.01 % it says nothing
    (50 and 50); linear between; mirrored below zero.

    Parameters
    ----------
    rate_pct
        Percent per funding interval, as published; positive when longs pay.
    settings
        Anchors: `neutral_funding_pct`, `crowded_funding_pct`, `crowded_scores`.

    Returns
    -------
    tuple of float
        0..100 each; both NaN for NaN.
    """
    xs = (settings.neutral_funding_pct, settings.crowded_funding_pct)
    with_crowd, against = settings.crowded_scores
    crowded = Curve(xs, (NEUTRAL, with_crowd))(abs(rate_pct))
    contrary = Curve(xs, (NEUTRAL, against))(abs(rate_pct))
    return (crowded, contrary) if rate_pct >= 0 else (contrary, crowded)


def funding_rate(state: PairState, _at_ms: int) -> Evidence:
    """Return what the newest funding rate says; unknown before the first one."""
    mark, settings = state.mark, state.settings
    if mark is None:
        return unknown()
    rate_pct = mark.funding_rate * 100.0
    long, short = funding_scores(rate_pct, settings)
    reason = ""
    if max(long, short) - NEUTRAL >= settings.reason_min_points:
        reason = f"Funding {rate_pct:+.3f}%: {'longs' if rate_pct > 0 else 'shorts'} are crowded"
    return Evidence(long, short, reason, mark.event_ms)

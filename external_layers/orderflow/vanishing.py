"""Vanishing liquidity: huge orders near the price that come and go without having traded."""

from external_layers.anchors import NEUTRAL
from external_layers.evidence import Evidence, unknown
from external_layers.orderflow.state import PairState
from scalp_strategy.setting_groups.layer_rules import VANISHING


def vanishing_scores(count: int, allowed: int) -> tuple[float, float]:
    """Return 0 and 0 when more than `allowed` huge orders vanished, else 50 and 50."""
    return (0.0, 0.0) if count > allowed else (NEUTRAL, NEUTRAL)


def vanishing_liquidity(state: PairState, at_ms: int) -> Evidence:
    """Return whether huge orders of the window came and went.

    Unknown unless `min_window_share` of the window the kept book was watched. The flag
    ``"vanishing"`` goes with the zeros.
    """
    watch, settings = state.vanishing, state.settings
    if watch.coverage.share(at_ms) < settings.min_window_share:
        return unknown(watch.coverage.newest_ms)
    count = watch.count(at_ms)
    long, short = vanishing_scores(count, settings.vanishing_count)
    if long == NEUTRAL:
        return Evidence(long, short, "", watch.coverage.newest_ms)
    reason = f"{count} huge orders vanished within {settings.vanishing_s:g} s each"
    return Evidence(long, short, reason, watch.coverage.newest_ms, (VANISHING,))

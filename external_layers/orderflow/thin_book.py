"""Thin book: with little in the way, the side that the book already favours moves more easily."""

from external_layers.anchors import NEUTRAL, Curve, directional
from external_layers.evidence import Evidence, joined
from external_layers.orderflow.state import PairState


def thin_points(
    depth: float, mean_depth: float, ratios: tuple[float, float], bonus: float
) -> float:
    """Return the points that a thin book adds to the favoured side, 0..bonus.

    Parameters
    ----------
    depth, mean_depth
        Quantity near the mid now, and its slow mean, same unit; NaN of either: 0 points.
    ratios
        Share of the mean below which points begin, and at which all are given.
    bonus
        All the points.
    """
    if not (mean_depth > 0 and depth >= 0):
        return 0.0
    starts, full = ratios
    return Curve((full, starts), (bonus, 0.0))(depth / mean_depth)


def thin_book(base: Evidence, state: PairState, at_ms: int) -> Evidence:
    """Return the book imbalance, its favoured side strengthened while the kept book is thin.

    It never creates a direction; unknown stays unknown; an old book adds nothing.
    """
    seen = state.book.recent(at_ms)
    if seen is None or not base.is_known or base.long == NEUTRAL:
        return base
    mean = state.book.mean_depth
    points = thin_points(seen.depth, mean, state.settings.thin_ratios, state.settings.thin_bonus)
    if points == 0.0:
        return base
    reason = f"thin book ({seen.depth / mean:.0%} of its mean)" if base.reason else ""
    if base.long > NEUTRAL:
        long, short = directional(base.long + points)
    else:
        short, long = directional(base.short + points)
    return base._replace(long=long, short=short, reason=joined(base.reason, reason))

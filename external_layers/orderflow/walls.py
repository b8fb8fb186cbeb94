"""Walls: an abnormally large order near the price holds it."""

from external_layers.anchors import directional
from external_layers.evidence import Evidence, joined
from external_layers.orderflow.book_scan import Wall
from external_layers.orderflow.state import PairState


def wall_points(bid_wall: Wall | None, ask_wall: Wall | None, bonus: float) -> float:
    """Return the points that the nearest walls add to a long and take from a short.

    ``bonus * (nearness of the bid wall - nearness of the ask wall)``, where nearness falls
    linearly from 1 at the mid to 0 at the end of the search.

    Parameters
    ----------
    bid_wall, ask_wall
        The nearest wall of each side, None without one.
    bonus
        Points of a wall right at the price.

    Returns
    -------
    float
        Within ``-bonus..bonus``; positive when the bids hold.
    """
    bid = bid_wall.nearness if bid_wall else 0.0
    ask = ask_wall.nearness if ask_wall else 0.0
    return bonus * (bid - ask)


def walls(base: Evidence, state: PairState, at_ms: int) -> Evidence:
    """Return the book imbalance moved by the nearest walls of the kept book.

    Unknown stays unknown, and a book last seen longer ago than `modifier_max_age_s` moves nothing.
    """
    seen = state.book.recent(at_ms)
    if seen is None or not base.is_known:
        return base
    points = wall_points(seen.bid_wall, seen.ask_wall, state.settings.wall_bonus)
    wall = seen.bid_wall if points > 0 else seen.ask_wall
    if wall is None or points == 0.0:
        return base
    reason = ""
    if abs(points) >= state.settings.reason_min_points:
        side = "Bid" if points > 0 else "Ask"
        reason = f"{side} wall at {wall.price:.8g} ({wall.ratio:.1f}x)"
    return _moved(base, points)._replace(reason=joined(base.reason, reason))


def _moved(base: Evidence, points: float) -> Evidence:
    # Whichever side gains is computed first, so that swapped books give swapped scores exactly.
    if points > 0:
        long, short = directional(base.long + points)
    else:
        short, long = directional(base.short - points)
    return base._replace(long=long, short=short)

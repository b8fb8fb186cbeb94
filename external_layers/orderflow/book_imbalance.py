"""Book imbalance: the side with more quantity at the best levels presses."""

from external_layers.anchors import NEUTRAL, Curve, two_sided
from external_layers.evidence import Evidence, unknown
from external_layers.orderflow.state import PairState
from scalp_strategy.setting_groups.orderflow import OrderFlowSettings


def book_imbalance_scores(
    bids: float, asks: float, settings: OrderFlowSettings
) -> tuple[float, float]:
    """Return support for long and short from the quantity on either side of the book.

    Bid share ``bids / (bids + asks)``: 0.45..0.55 says nothing (50), 0.6 gives longs 70, 1.0 gives
    them 90, linear between; mirrored for asks, and the other side gets the rest of 100.

    Parameters
    ----------
    bids, asks
        Quantity of the `imbalance_levels` best levels of each side, at least 0, same unit.
    settings
        Anchors: `imbalance_neutral`, `imbalance_pressure`, `imbalance_scores`.

    Returns
    -------
    tuple of float
        0..100 each; both NaN for an empty book.
    """
    low, high = settings.imbalance_neutral
    pressure, scores = settings.imbalance_pressure, settings.imbalance_scores
    buyers = Curve((high, pressure, 1.0), (NEUTRAL, *scores))
    sellers = Curve((1.0 - low, pressure, 1.0), (NEUTRAL, *scores))
    return two_sided(bids, asks, buyers, sellers)


def book_imbalance(state: PairState, _at_ms: int) -> Evidence:
    """Return what the newest depth snapshot says; unknown before the first one.

    A book without one of its sides is a fault or a halt, not pressure: it says nothing.
    """
    depth, settings = state.depth, state.settings
    if depth is None or not depth.bids or not depth.asks:
        return unknown()
    levels = settings.imbalance_levels
    bids = sum([quantity for _, quantity in depth.bids[:levels]])
    asks = sum([quantity for _, quantity in depth.asks[:levels]])
    long, short = book_imbalance_scores(bids, asks, settings)
    return Evidence(long, short, _reason(bids, asks, max(long, short), settings), depth.event_ms)


def _reason(bids: float, asks: float, support: float, settings: OrderFlowSettings) -> str:
    if not support - NEUTRAL >= settings.reason_min_points:
        return ""
    side = "Bids" if bids > asks else "Asks"
    return f"{side} are {max(bids, asks) / (bids + asks):.0%} of the book"

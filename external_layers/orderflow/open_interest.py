"""Open interest against price: whether new positions stand behind a move."""

from math import isnan

from external_layers.anchors import NEUTRAL, Curve, directional
from external_layers.evidence import Evidence, unknown
from external_layers.orderflow.state import PairState
from scalp_strategy.setting_groups.orderflow import OrderFlowSettings


def open_interest_scores(
    change_pct: float, price_change_pct: float, settings: OrderFlowSettings
) -> tuple[float, float]:
    """Return support for long and short from how open interest and price moved together.

    Rising open interest confirms the move of the price, up for longs, down for shorts:
    ``50 + (open_interest_score - 50) * a * b``, where a and b grow from 0 to 1 between the two
    bounds of `open_interest_move_pct` and of `open_interest_price_pct`. Falling open interest means
    that positions close and the move weakens: 50 and 50.

    Parameters
    ----------
    change_pct, price_change_pct
        Changes in percent over `open_interest_window_s`.
    settings
        The bounds, and the support at both upper ones.

    Returns
    -------
    tuple of float
        0..100 each; both NaN when either change is.
    """
    entering = Curve(settings.open_interest_move_pct, (0.0, 1.0))(change_pct)
    moving = Curve(settings.open_interest_price_pct, (0.0, 1.0))(abs(price_change_pct))
    support = NEUTRAL + (settings.open_interest_score - NEUTRAL) * entering * moving
    if price_change_pct < 0:
        short, long = directional(support)
        return long, short
    return directional(support)


def open_interest(state: PairState, _at_ms: int) -> Evidence:
    """Return what the newest open interest says; unknown until a window of it was heard."""
    history, settings = state.open_interest, state.settings
    change_pct, price_pct = history.changes()
    long, short = open_interest_scores(change_pct, price_pct, settings)
    if isnan(long):
        return unknown(history.newest_ms)
    reason = ""
    if max(long, short) - NEUTRAL >= settings.reason_min_points:
        enter = "longs" if long > short else "shorts"
        reason = f"Open interest {change_pct:+.1f}%, price {price_pct:+.1f}%: new {enter} enter"
    return Evidence(long, short, reason, history.newest_ms)

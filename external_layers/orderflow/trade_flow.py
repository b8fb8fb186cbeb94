"""Trade flow: who crosses the spread, buyers or sellers."""

from external_layers.anchors import NEUTRAL, Curve, two_sided
from external_layers.evidence import Evidence, unknown
from external_layers.orderflow.state import PairState
from scalp_strategy.setting_groups.orderflow import OrderFlowSettings


def trade_flow_scores(
    bought: float, sold: float, settings: OrderFlowSettings
) -> tuple[float, float]:
    """Return support for long and short from what takers bought and sold.

    Taker-buy share ``bought / (bought + sold)``: 0.5 says nothing (50), 0.6 gives longs 70, 0.75
    gives 85, 1.0 gives 95, linear between; mirrored for sellers, the other side gets the rest.

    Parameters
    ----------
    bought, sold
        Volumes of takers in the window, at least 0, same unit.
    settings
        Anchors: `flow_pressure`, `flow_scores`.

    Returns
    -------
    tuple of float
        0..100 each; both NaN when nothing was traded.
    """
    curve = Curve((0.5, *settings.flow_pressure, 1.0), (NEUTRAL, *settings.flow_scores))
    return two_sided(bought, sold, curve, curve)


def trade_flow(state: PairState, _at_ms: int) -> Evidence:
    """Return what the trades of the window say.

    Unknown unless `min_window_share` of the window was listened to and it holds `min_trades`.
    """
    flow, settings = state.flow, state.settings
    if not state.is_flow_known:
        return unknown(flow.price_ms)
    long, short = trade_flow_scores(flow.buy, flow.sell, settings)
    reason = ""
    if max(long, short) - NEUTRAL >= settings.reason_min_points:
        side, volume = ("buying", flow.buy) if long > short else ("selling", flow.sell)
        reason = f"Aggressive {side} {volume / (flow.buy + flow.sell):.0%} of volume"
    return Evidence(long, short, reason, flow.price_ms)

"""Large orders: on which side the trades far above the mean size are."""

from external_layers.anchors import NEUTRAL, Curve, directional
from external_layers.evidence import Evidence, unknown
from external_layers.orderflow.state import PairState
from scalp_strategy.setting_groups.orderflow import OrderFlowSettings


def large_order_scores(
    bought: tuple[float, int], sold: tuple[float, int], settings: OrderFlowSettings
) -> tuple[float, float]:
    """Return support for long and short from the large trades of either side.

    ``50 + net * (conviction - 50)`` for the side with more volume, where ``net = |bought - sold| /
    (bought + sold)`` and the conviction grows with that side's number of large trades: 50 at none,
    80 at `large_trade_many[0]`, 95 at `large_trade_many[1]`. The other side gets the rest of 100.

    Parameters
    ----------
    bought, sold
        Volume (same unit, at least 0) and number of the large trades of takers on that side.
    settings
        Anchors: `large_trade_many`, `large_trade_scores`.

    Returns
    -------
    tuple of float
        0..100 each, 50 and 50 without large trades.
    """
    total = bought[0] + sold[0]
    if not total > 0:
        return NEUTRAL, NEUTRAL
    conviction = Curve((0.0, *settings.large_trade_many), (NEUTRAL, *settings.large_trade_scores))
    net = (bought[0] - sold[0]) / total
    if net >= 0.0:
        return directional(NEUTRAL + net * (conviction(bought[1]) - NEUTRAL))
    short, long = directional(NEUTRAL - net * (conviction(sold[1]) - NEUTRAL))
    return long, short


def large_orders(state: PairState, _at_ms: int) -> Evidence:
    """Return what the large trades of the window say.

    Unknown like the trade flow, and while the window holds bars, which hide single trades.
    """
    flow = state.flow
    if not state.is_flow_known or flow.bars:
        return unknown(flow.price_ms)
    bought, sold = (flow.large_buy, flow.large_buys), (flow.large_sell, flow.large_sells)
    long, short = large_order_scores(bought, sold, state.settings)
    reason = ""
    if max(long, short) - NEUTRAL >= state.settings.reason_min_points:
        side, volume = ("buys", flow.large_buy) if long > short else ("sells", flow.large_sell)
        count = flow.large_buys if long > short else flow.large_sells
        share = volume / (flow.large_buy + flow.large_sell)
        reason = f"{count} large {side}, {share:.0%} of large volume"
    return Evidence(long, short, reason, flow.price_ms)

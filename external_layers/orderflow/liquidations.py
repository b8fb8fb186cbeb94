"""Liquidations, estimated ones near the price and real ones: a cascade may come, or is running."""

from external_layers.anchors import FULL, NEUTRAL, Curve, clamped
from external_layers.evidence import Evidence, joined
from external_layers.orderflow.liquidation_map import Zone
from external_layers.orderflow.state import PairState
from scalp_strategy.setting_groups.orderflow import OrderFlowSettings


def zone_support(nearness: float, settings: OrderFlowSettings) -> float:
    """Return the support of BOTH sides near a cluster of estimated liquidations.

    Direction-free: the move may be large, whichever way it goes. 70 at the end of the search
    (`nearness` 0), 90 at the cluster (`nearness` 1), linear between.
    """
    return Curve((0.0, 1.0), settings.liquidation_scores)(nearness)


def forced_effect(
    forced: tuple[float, float], traded: float, settings: OrderFlowSettings
) -> tuple[float, float]:
    """Return what real liquidations of the window do: support of both sides, points for longs.

    With ``f = min(1, forced / (liquidation_flow_share * traded))`` both sides are supported from
    50 (f = 0) to the lower `liquidation_scores` (f = 1), and the side of the forced orders gains
    ``liquidation_bonus * f * |net share|`` points, which the other side loses: forced buys close
    shorts and push the price up.

    Parameters
    ----------
    forced
        Quantities forced to buy and to sell.
    traded
        Taker volume of the same window, same unit.

    Returns
    -------
    tuple of float
        Support 50..100 of both sides, and signed points for longs.
    """
    total = forced[0] + forced[1]
    if not total > 0:
        return NEUTRAL, 0.0
    needed = settings.liquidation_flow_share * traded
    force = min(1.0, total / needed) if needed > 0 else 1.0
    support = NEUTRAL + force * (settings.liquidation_scores[0] - NEUTRAL)
    return support, settings.liquidation_bonus * force * (forced[0] - forced[1]) / total


def liquidations(base: Evidence, state: PairState, at_ms: int) -> Evidence:
    """Return open interest with what liquidations add: the stronger support wins on each side.

    Unknown stays unknown. Forced orders count only beside a known window of trades.
    """
    if not base.is_known:
        return base
    settings, flow, forced = state.settings, state.flow, state.forced
    zones = state.liquidation_map.zones(at_ms)
    zone = zone_support(zones[0].nearness, settings) if zones else NEUTRAL
    quantities = (forced.buy, forced.sell) if state.is_flow_known else (0.0, 0.0)
    support, points = forced_effect(quantities, flow.buy + flow.sell, settings)
    floor = max(support, zone)
    is_raised = floor > NEUTRAL
    long = max(base.long, floor) if is_raised else base.long
    short = max(base.short, floor) if is_raised else base.short
    reason = joined(base.reason, _zone_reason(zones), _forced_reason(support, points, settings))
    return base._replace(
        long=clamped(long + points, 0.0, FULL),
        short=clamped(short - points, 0.0, FULL),
        reason=reason,
    )


def _zone_reason(zones: list[Zone]) -> str:
    if not zones:
        return ""
    zone = zones[0]
    return f"Liquidations of {zone.side}s near {zone.price:.8g} ({zone.share:.0%} of them)"


def _forced_reason(support: float, points: float, settings: OrderFlowSettings) -> str:
    if support - NEUTRAL < settings.reason_min_points:
        return ""
    if points == 0.0:
        return "Both sides are being liquidated"
    return f"{'Shorts' if points > 0 else 'Longs'} are being liquidated"

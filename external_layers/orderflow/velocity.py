"""Trade velocity: a burst of trades strengthens what the trade flow says."""

from external_layers.anchors import NEUTRAL, Curve, directional
from external_layers.evidence import Evidence, joined
from external_layers.orderflow.state import PairState


def burst_share(pace: float, ratios: tuple[float, float], boost: float) -> float:
    """Return the share 0..boost by which a burst strengthens the trade flow.

    Parameters
    ----------
    pace
        Trades a second of the last seconds, over the mean of the window.
    ratios
        Pace from which it counts, and from which it counts fully.
    boost
        The full share.
    """
    return Curve(ratios, (0.0, boost))(pace)


def velocity(base: Evidence, state: PairState, at_ms: int) -> Evidence:
    """Return the trade flow, its distance from 50 stretched while trades come in a burst.

    It never turns the direction; unknown stays unknown; bars in the window say nothing of pace.
    """
    settings = state.settings
    share = state.coverage_share
    if not base.is_known or state.flow.bars or share <= 0.0:
        return base
    recent = state.flow.trades_since(at_ms, round(settings.velocity_s * 1_000))
    pace = (recent / settings.velocity_s) / (state.flow.trades / (settings.window_s * share))
    boost = burst_share(pace, settings.velocity_ratios, settings.velocity_boost)
    if boost == 0.0:
        return base
    # The favoured side is computed first, so that swapped trades give swapped scores exactly.
    if base.long >= base.short:
        long, short = directional(NEUTRAL + (base.long - NEUTRAL) * (1.0 + boost))
    else:
        short, long = directional(NEUTRAL + (base.short - NEUTRAL) * (1.0 + boost))
    pace_reason = f"trades {pace:.1f}x as fast as usual" if base.reason else ""
    return base._replace(long=long, short=short, reason=joined(base.reason, pace_reason))

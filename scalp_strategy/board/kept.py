"""What the journal keeps, as the board needs it: so that a start can tell what a kill left untold.

The same facts give the same text, so what was told already makes no revision.
"""

from scalp_strategy.journal.instants import epoch_ms
from scalp_strategy.journal.records import ReplayRecord
from scalp_strategy.journal.views import SignalRow


def replay_of(kept: SignalRow) -> ReplayRecord | None:
    """Return what a signal has become on candles, None when the journal does not know yet."""
    if kept.replay_outcome is None:
        return None
    close_ms = epoch_ms(kept.close_time)
    return ReplayRecord(
        bot=kept.bot,
        pair=kept.pair,
        side=kept.direction,
        close_ms=close_ms,
        at_ms=close_ms,
        outcome=kept.replay_outcome,
        net_r=kept.replay_net_r,
        pnl_pct=kept.replay_pnl_pct,
        minutes=kept.replay_minutes or 0,
        resolution=kept.replay_resolution or "",
        is_ambiguous=bool(kept.replay_is_ambiguous),
    )

"""The host's trades as the journal and the messages see them, from its orders.

A trade is looked at while it is open, and once more when it is gone: closed, or deleted, which is
what the host does with a trade whose entry was cancelled unfilled.
"""

from scalp_strategy.tracking.record import position_record, trade_of
from scalp_strategy.tracking.state import TrackedTrade, signal_key, trade_state
from scalp_strategy.tracking.tracker import Exits, TradeTracker

__all__ = [
    "Exits",
    "TrackedTrade",
    "TradeTracker",
    "position_record",
    "signal_key",
    "trade_of",
    "trade_state",
]

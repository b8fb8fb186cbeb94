"""The board: decides what is told, when, and what a signal's message shows (pure).

It makes notices and revisions; how they reach the trader is not its business. All it remembers is
rebuilt from the messages of the journal, so a restart repeats nothing.
"""

from scalp_strategy.board.board import Board, Message
from scalp_strategy.board.health import HealthWatch
from scalp_strategy.board.kept import replay_of
from scalp_strategy.board.messages import Revision, signal_notice_key

__all__ = [
    "Board",
    "HealthWatch",
    "Message",
    "Revision",
    "replay_of",
    "signal_notice_key",
]

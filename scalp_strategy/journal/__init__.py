"""Where decisions are kept."""

from scalp_strategy.journal.log import DecisionLog, MemoryLog

__all__ = ["DecisionLog", "MemoryLog"]

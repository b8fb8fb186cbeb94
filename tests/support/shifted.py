"""A wall clock of the tests' own, which real processes follow: that of the demo."""

from scalp_strategy.demo.clock import SharedClock, on_clock

__all__ = ["SharedClock", "on_clock"]

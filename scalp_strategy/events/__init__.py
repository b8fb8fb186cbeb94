"""The sidecar's numbered events: pulled into the journal, the notable ones told in the chat."""

from scalp_strategy.events.desk import EventDesk, event_desk

__all__ = ["EventDesk", "event_desk"]

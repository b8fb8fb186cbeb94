"""How a source is doing, for the health page and the doctor."""

from dataclasses import dataclass

from external_layers.sources.budget import CallUse
from external_layers.sources.spec import SourceSpec


@dataclass(frozen=True, slots=True)
class SourceState:
    """A source at an instant; no text in it holds a key, a query or a header.

    Attributes
    ----------
    is_on, why_off
        Whether it is asked at all; if not, why, in words that say what to do.
    last_success_ms, last_attempt_ms
        Epoch milliseconds, over restarts; None = never.
    next_due_ms
        When it is asked next; None while it is off.
    problem
        Why the last fetch failed; None while it works.
    failures
        Failed fetches in a row.
    facts
        Facts handed over since the start.
    payload_errors, sample
        Malformed answers since the start, and the beginning of the last of them.
    refusals
        Fetches since the start that the budget of calls left no room for.
    circuit_open_until_ms, paused_until_ms
        Until when the provider is left alone, because it is dead or asked for it; None = it is not.
    budget
        Calls of all sources of the provider against what is asked at most.
    """

    spec: SourceSpec
    is_on: bool
    why_off: str | None
    last_success_ms: int | None
    last_attempt_ms: int | None
    next_due_ms: int | None
    problem: str | None
    failures: int
    facts: int
    payload_errors: int
    sample: str | None
    refusals: int
    circuit_open_until_ms: int | None
    paused_until_ms: int | None
    budget: tuple[CallUse, ...]

"""Hours of exchange net flow, as the paid services tell them (pure)."""

from collections.abc import Sequence
from math import isnan
from typing import Any, Final

from external_layers.sources.facts import EXCHANGE_NETFLOW, Fact, Reading
from external_layers.sources.reading import number, part

HOUR_MS: Final = 3_600_000
HOURS_AT_FIRST: Final = 168  # a week: what an extreme is measured against from the start
HOURS_AGAIN: Final = 12  # the newest are revised for some hours


def outflow(
    token: str, hour_ms: int | None, inflow: Any, price_usd: float, received_ms: int
) -> Reading | None:
    """Return the net outflow of an hour in US dollars; None when it is unknown or not over.

    Parameters
    ----------
    hour_ms
        When the hour began; the reading is of its end.
    inflow
        Inflow minus outflow, as the services tell it.
    price_usd
        Of a unit of `inflow`.
    """
    net = number(number(inflow) * price_usd)
    if isnan(net) or hour_ms is None or hour_ms + HOUR_MS > received_ms:
        return None
    return Reading(EXCHANGE_NETFLOW, token, 0.0 - net, hour_ms + HOUR_MS, received_ms)


def hours_to_ask(memory: dict[str, Any], token: str, now_ms: int) -> int:
    """Return how many hours are still to be asked for: a week at first, later what is new."""
    newest_ms = number(part(memory, "until", token))
    if isnan(newest_ms):
        return HOURS_AT_FIRST
    missing = max(0, int(now_ms - newest_ms) // HOUR_MS)
    return min(HOURS_AT_FIRST, missing + HOURS_AGAIN)


def note_hours(memory: dict[str, Any], found: Sequence[Fact]) -> None:
    """Remember up to which hour each token is known."""
    known = memory.get("until")
    until = dict(known) if isinstance(known, dict) else {}
    for each in found:
        if isinstance(each, Reading):
            until[each.subject] = each.observed_at_ms
    memory["until"] = until

"""What an answer of ``GET /v1/events`` says (pure)."""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Annotated, Any, Final

import msgspec

from scalp_strategy.errors import PayloadError
from scalp_strategy.journal.outside import (
    KIND_LENGTH,
    LATEST_MS,
    MACRO,
    REGIME,
    SENTIMENT,
    WHALE,
    Content,
    OutsideEvent,
    SentimentSnapshot,
    StateChange,
    WhaleMovement,
    one_line,
)
from scalp_strategy.layers.answer import decoded

# Kinds that are kept in tables; the others are passed over.
CONTENTS: Final[dict[str, type[Content]]] = {
    WHALE: WhaleMovement,
    REGIME: StateChange,
    MACRO: StateChange,
    SENTIMENT: SentimentSnapshot,
}


@dataclass(frozen=True, slots=True)
class _Envelope:
    number: Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]
    at_ms: Annotated[int, msgspec.Meta(ge=0, le=LATEST_MS)]
    kind: str
    pair: str | None
    text: str
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Page:
    """Events in ascending order, and how many were not understood."""

    events: tuple[OutsideEvent, ...] = ()
    dropped: int = 0


def parse_events(body: bytes) -> Page:
    """Return the events of an answer.

    Parameters
    ----------
    body
        JSON: ``{"events": [{"number", "at_ms", "kind", "pair", "text", "data"}, ...], ...}``.

    Returns
    -------
    Page
        An event whose data is not understood is there without content, so that its number is
        taken; what is no event at all is left out. Both count as dropped.

    Raises
    ------
    PayloadError
        When it is no such document, or the numbers do not ascend.
    """
    document = decoded(body)
    rows = document.get("events") if isinstance(document, dict) else None
    if not isinstance(rows, list):
        raise PayloadError("the answer holds no events")
    envelopes = [one for one in map(_envelope, rows) if one is not None]
    if any(first.number >= second.number for first, second in pairwise(envelopes)):
        raise PayloadError("the numbers of the events do not ascend")
    events = tuple(_event(one) for one in envelopes)
    empty = sum(one.content is None and one.kind in CONTENTS for one in events)
    return Page(events, len(rows) - len(events) + empty)


def _envelope(row: Any) -> _Envelope | None:
    try:
        return msgspec.convert(row, _Envelope)
    except msgspec.ValidationError:
        return None


def _event(one: _Envelope) -> OutsideEvent:
    kind = one_line(one.kind, KIND_LENGTH)
    return OutsideEvent(one.number, one.at_ms, kind, one.pair, one.text, _content(kind, one.data))


def _content(kind: str, data: dict[str, Any]) -> Content | None:
    if kind not in CONTENTS:
        return None
    try:
        return msgspec.convert(data, CONTENTS[kind])
    except msgspec.ValidationError:
        return None

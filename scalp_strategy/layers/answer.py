"""What is asked of the sidecar, and what its answers say (pure)."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import orjson

from scalp_strategy.contract import MARKET_WIDE, SCHEMA_VERSION, Component, from_wire
from scalp_strategy.errors import PayloadError
from scalp_strategy.layers.candles import TIMEFRAMES_MS, candle_rows
from scalp_strategy.layers.series import Floats

_LATEST_MS: Final = 2**53  # beyond it a float is no exact millisecond


@dataclass(frozen=True, slots=True)
class Ask:
    """One question: what was known of these pairs at a close.

    Attributes
    ----------
    since_ms
        With it, what was known at every 15m close after it, and the candles that closed after it;
        None = what was known at the close itself, and all candles there are.
    """

    pairs: tuple[str, ...]
    close_ms: int
    since_ms: int | None = None


@dataclass(slots=True)
class Answer:
    """What was understood of an answer.

    Attributes
    ----------
    at_ms
        The instant up to which it is complete.
    pairs
        The pairs it speaks of.
    components, candles
        Rows known by `at_ms`; candles of shape (n, 6) by pair and timeframe.
    dropped
        Rows that were not understood.
    """

    at_ms: int
    pairs: set[str] = field(default_factory=set)
    components: list[Component] = field(default_factory=list)
    candles: dict[tuple[str, str], Floats] = field(default_factory=dict)
    dropped: int = 0

    def add_components(self, pair: str, rows: Any) -> None:
        """Take the component rows of a pair; what is none, or of another pair, is dropped."""
        if not isinstance(rows, list):
            self.dropped += 1
            return
        for row in rows:
            component = _component(row, pair)
            if component is None:
                self.dropped += 1
            elif component.available_at_ms <= self.at_ms:
                self.components.append(component)

    def add_candles(self, pair: str, timeframe: str, rows: Any) -> None:
        """Take the candles of a pair; what is none is dropped."""
        self.candles[pair, timeframe], dropped = candle_rows(rows, timeframe, self.at_ms)
        self.dropped += dropped


class Transport(Protocol):
    """A way to the sidecar.

    Attributes
    ----------
    has_history
        Whether `Ask.since_ms` is understood.
    """

    has_history: bool

    def fetch(self, ask: Ask) -> Answer:
        """Return the answer.

        Raises
        ------
        SourceUnavailable
            No answer, or none that speaks of success.
        SourceRejected
            The token or the request was refused.
        PayloadError
            The answer as a whole is not understood.
        """
        ...

    def drop(self) -> None:
        """Let go of the connection while a call may still hang in it, from another thread."""
        ...


def parse_answer(body: bytes, ask: Ask) -> Answer:
    """Return what an answer of ``GET /v1/scores`` says.

    Parameters
    ----------
    body
        JSON: ``{"schema": 1, "at_ms": ..., "pairs": {pair: {"components": [...], "candles":
        {"5m": [...], "1m": [...]}}}}``.
    ask
        What was asked: an answer for an earlier instant counts for that one only.

    Raises
    ------
    PayloadError
        When it is no such document or of another schema.
    """
    document = decoded(body)
    if not isinstance(document, dict) or document.get("schema") != SCHEMA_VERSION:
        raise PayloadError(f"the answer is not of schema {SCHEMA_VERSION}")
    at_ms, pairs = document.get("at_ms"), document.get("pairs")
    if type(at_ms) is not int or at_ms < 0 or not isinstance(pairs, dict):
        raise PayloadError("the answer lacks at_ms or pairs")
    answer = Answer(min(at_ms, ask.close_ms))
    for pair, entry in pairs.items():
        if isinstance(entry, dict) and (pair in ask.pairs or pair == MARKET_WIDE):
            _add_entry(answer, pair, entry)
        else:
            answer.dropped += 1
    return answer


def decoded(body: bytes) -> Any:
    """Return the value of a JSON text.

    Raises
    ------
    PayloadError
        When it is no JSON; numbers that no float can hold are none.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise PayloadError(f"no JSON: {error.msg}") from None


def _add_entry(answer: Answer, pair: str, entry: dict[str, Any]) -> None:
    answer.pairs.add(pair)
    answer.add_components(pair, entry.get("components", []))
    candles = entry.get("candles", {})
    if not isinstance(candles, dict):
        answer.dropped += 1
        return
    for timeframe in _known(candles):
        answer.add_candles(pair, timeframe, candles[timeframe])


def _known(timeframes: Iterable[str]) -> list[str]:
    return [timeframe for timeframe in timeframes if timeframe in TIMEFRAMES_MS]


def _component(row: Any, pair: str) -> Component | None:
    try:
        component = from_wire(row)
    except PayloadError:
        return None
    is_sound = component.pair == pair and component.observed_at_ms >= 0
    return component if is_sound and component.available_at_ms <= _LATEST_MS else None

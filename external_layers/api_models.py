"""Shapes of the HTTP answers, for the OpenAPI document; the bodies are encoded elsewhere."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

# layer, name, pair, long, short, observed_at_ms, available_at_ms, reason, flags, version
ComponentRow = tuple[str, str, str, float | None, float | None, int, int, str, str, int]
# open_ms, open, high, low, close, volume
CandleRow = tuple[int, float, float, float, float, float]


class Model(BaseModel):
    """Base of the answers: a field that is not declared is a mistake."""

    model_config = ConfigDict(extra="forbid")


class PairScores(Model):
    """Components and closed candles of one pair; `*` has the market-wide components."""

    components: list[ComponentRow] = Field(
        description="layer, name, pair, long, short (null = unknown), observed_at_ms, "
        "available_at_ms, reason, flags (comma-separated), schema version"
    )
    candles: dict[str, list[CandleRow]] = Field(
        description="By timeframe (5m, 1m): open_ms, open, high, low, close, volume"
    )


class Scores(Model):
    """Everything the strategy needs for a candle, as of `at_ms`."""

    schema_: int = Field(alias="schema")
    at_ms: int
    pairs: dict[str, PairScores]


class History(Model):
    """Components of one pair and layer as they became available, oldest first."""

    layer: str
    pair: str
    components: list[ComponentRow]
    is_complete: bool = Field(description="False when there are more rows; ask on from the last.")


class Event(Model):
    """Something the bot takes over once: a pair added or removed, a feed that failed or is back."""

    number: int
    at_ms: int
    kind: str
    pair: str | None
    text: str
    data: dict[str, Any]


class Events(Model):
    """Events after a number, oldest first."""

    events: list[Event]
    last_number: int


class PairList(Model):
    """Freqtrade's RemotePairList format."""

    pairs: list[str]
    refresh_period: int


class Pairs(Model):
    """The scanner's figures."""

    scanned_at_ms: int | None
    active: list[str]
    watched: list[str]
    pairs: dict[str, dict[str, Any]]


class Health(Model):
    """How the sidecar is."""

    status: str = Field(description="ok, starting, degraded or down")
    problems: list[str]
    started_at_ms: int
    now_ms: int
    market: str
    clock_offset_ms: float | None
    feeds: dict[str, Any]
    books: dict[str, Any]
    scores: dict[str, Any]
    rest: dict[str, Any]
    bot: dict[str, Any] = Field(
        description="Whether the bot still asks: heard last, silent or not, told in the chat or not"
    )
    jobs: dict[str, Any]
    store: dict[str, Any]
    scanner: dict[str, Any]
    sources: dict[str, dict[str, Any]] = Field(
        description="The outside sources by name: on or off and why, problem, age, calls used of "
        "the budget, share of the evidence that is lost without it"
    )
    process: dict[str, Any]

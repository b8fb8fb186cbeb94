"""What a source is: one file with SPEC, a pure `parse` and a thin `fetch`, listed in `SOURCES`."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

from external_layers.sources.facts import Fact
from scalp_strategy.settings import Settings

Params: TypeAlias = Mapping[str, str | int | float]


@dataclass(frozen=True, slots=True)
class CallRate:
    """At most `count` calls in any `span_s` seconds."""

    count: int
    span_s: float


@dataclass(frozen=True, slots=True)
class Provider:
    """Whom we ask: its address, its limits and its terms. Sources of one provider share them.

    Attributes
    ----------
    rates
        What is asked at most: below what the provider allows, so that other programs behind the
        same address are left some.
    max_mb
        Megabytes of an answer at most; beyond it the answer is dropped.
    licence
        Under which terms the data may be used, in a few words.
    docs
        The page that says so.
    """

    name: str
    url: str
    rates: tuple[CallRate, ...]
    licence: str
    docs: str
    max_mb: float = 8.0


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """What a source is and how it may be used.

    Attributes
    ----------
    name
        The file's name, e.g. ``"fear_greed"``.
    feeds
        Components of the layer that it informs, e.g. ``("fear_greed",)``.
    every_s, timeout_s
        Seconds between two fetches, and for one fetch with all its calls.
    keys
        Environment variables that hold its key; all of them are needed when `needs_key`.
    needs_key
        False: it works without; the keys, if any, add to it.
    calls
        Calls of one fetch, about: what `doctor` reckons a day's use from.
    history
        ``"full"``: the past can be had as it was known; ``"revised"``: it can be had, but may have
        been changed since; ``"none"``: nobody keeps it.
    honesty
        What that means for backtests, in one sentence.
    is_stream
        It listens instead of asking; `every_s` is then the wait after a stream ended.
    """

    name: str
    provider: Provider
    layer: Literal["onchain", "sentiment"]
    feeds: tuple[str, ...]
    every_s: float
    history: Literal["full", "revised", "none"]
    honesty: str
    timeout_s: float = 20.0
    keys: tuple[str, ...] = ()
    needs_key: bool = False
    calls: int = 1
    is_stream: bool = False


class Reply(Protocol):
    """An answer of status 200, or 304 to a conditional request."""

    body: bytes
    received_ms: int
    is_unchanged: bool

    def json(self) -> Any:
        """Return the parsed body.

        Raises
        ------
        PayloadError
            When it is no JSON.
        """


class Client(Protocol):
    """Calls to one provider: within its budget, its time limit and its circuit breaker.

    Errors are those of the tree and name the source and the path without query, never a key:
    `SourceUnavailable`, `RateLimited`, `SourceRejected`, `PayloadError`.
    """

    async def get(
        self,
        path: str,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        is_conditional: bool = False,
    ) -> Reply:
        """Return the answer to a GET request; with `is_conditional` 304 is an answer too.

        `path` is relative to the provider's address, or a whole URL where a source is made of
        several (RSS).
        """

    async def post(
        self,
        path: str,
        json: Any,
        headers: Mapping[str, str] | None = None,
        *,
        form: Mapping[str, str] | None = None,
    ) -> Reply:
        """Return the answer to a POST request that asks a question and changes nothing.

        With `form` the body is an encoded form, and `json` is left out.
        """

    def messages(self, path: str, opening: Sequence[Any]) -> "Messages":
        """Return the text messages of a websocket, `opening` being sent first."""


Messages: TypeAlias = AsyncGenerator[tuple[bytes, int], None]  # texts, and when each was received


@dataclass(slots=True)
class FetchContext:
    """What a fetch may know of the rest of the sidecar.

    Attributes
    ----------
    now_ms
        The clock.
    settings
        The effective settings.
    keys
        Values of the spec's environment variables that are set; never logged, never in an error.
    tokens
        Base assets of the watched pairs, upper case.
    price
        US dollars of a token now, NaN unknown.
    memory
        What the source remembers from fetch to fetch and over restarts: JSON values only.
    deliver
        Hands over facts before the fetch ends; a stream has no other way.
    """

    now_ms: Callable[[], int]
    settings: Settings
    keys: Mapping[str, str] = field(default_factory=dict)
    tokens: tuple[str, ...] = ()
    price: Callable[[str], float] = lambda _token: float("nan")
    memory: dict[str, Any] = field(default_factory=dict)
    deliver: Callable[[Sequence[Fact]], None] = lambda _facts: None


Fetch: TypeAlias = Callable[[Client, FetchContext], Awaitable[Sequence[Fact]]]
# payload, when it was received -> facts; raises PayloadError and nothing else.
Parse: TypeAlias = Callable[..., Sequence[Fact]]


@dataclass(frozen=True, slots=True)
class Source:
    """A source as it is listed: what it is, how it is asked, how its answers read."""

    spec: SourceSpec
    fetch: Fetch
    parse: Parse

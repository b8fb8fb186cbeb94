"""The exchange's REST interface: one queue under the weight budget, errors by what they ask for."""

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout

from external_layers.binance.addresses import Addresses
from external_layers.binance.budget import WeightBudget
from external_layers.binance.clock import ClockSample
from external_layers.binance.pacing import Backoff, Timing
from scalp_strategy.errors import (
    PayloadError,
    RateLimited,
    ScalpError,
    SourceRejected,
    SourceUnavailable,
)
from scalp_strategy.setting_groups.sidecar import FeedSettings

logger = logging.getLogger(__name__)

Params = Mapping[str, str | int]

_WEIGHT_HEADER: Final = "X-MBX-USED-WEIGHT-1M"
_TOO_MANY: Final = 429
_BANNED: Final = 418
_FIREWALL: Final = 403  # the exchange's word for too many requests at its outer wall
_TIMEOUT: Final = 408
_LEAST_BAN_S: Final = 120  # the shortest ban that the exchange names
_CHUNK: Final = 65_536
_MOST_DIGITS: Final = 9
_SHOWN: Final = 200  # characters of an error message


@dataclass(slots=True)
class RestCounters:
    """What was asked and what went wrong, since the start.

    `errors` counts failed attempts by kind: timeout, network, server, rate_limited, rejected,
    payload, queue (gave up waiting for its turn).
    """

    requests: int = 0
    retries: int = 0
    weight: int = 0
    waited_s: float = 0.0
    errors: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Answer:
    """A parsed answer and the monotonic seconds at which it was asked for and came."""

    body: Any
    sent_s: float
    received_s: float


class BinanceRest:
    """GET requests in the order in which they were made, within the weight budget.

    Parameters
    ----------
    session
        The one client session; it is neither made nor closed here.
    addresses
        The market.
    settings
        Time limits, retries and shares.
    timing
        Clocks, waiting and chance; `now_ms` on the exchange's clock.
    """

    def __init__(
        self, session: ClientSession, addresses: Addresses, settings: FeedSettings, timing: Timing
    ) -> None:
        self.counters = RestCounters()
        self.budget = WeightBudget(
            addresses.weight_limit, settings.weight_share, settings.weight_reserve
        )
        self._session = session
        self._addresses = addresses
        self._settings = settings
        self._timing = timing
        self._timeout = ClientTimeout(total=settings.request_timeout_s)
        self._retry = Backoff(
            settings.retry_first_s, settings.reconnect_max_s, settings.reconnect_jitter
        )
        self._turn = asyncio.Lock()
        self._places = asyncio.Semaphore(settings.concurrent_requests)

    async def get(self, path: str, params: Params | None = None, *, weight: int) -> Any:
        """Return the parsed JSON answer to a GET request.

        Parameters
        ----------
        path
            Path with its prefix, e.g. ``/fapi/v1/depth``.
        params
            Query parameters; no secret may be among them.
        weight
            What the exchange counts for the request.

        Raises
        ------
        RateLimited
            The exchange asked for a pause (403, 418, 429; later requests wait for its end), or the
            turn of this request did not come within `request_wait_s`.
        SourceUnavailable
            No answer, an answer of 408 or 5xx, or a redirect, after all repetitions.
        SourceRejected
            Any other 4xx, with the exchange's code and message.
        PayloadError
            An answer that is no JSON or too large.
        """
        return (await self.ask(path, params, weight=weight)).body

    async def ask(self, path: str, params: Params | None = None, *, weight: int) -> Answer:
        """Return the answer to a GET request with its times; errors as in `get`."""
        for attempt in range(1, self._settings.request_retries + 1):
            try:
                return await self._attempt(path, params, weight)
            except (RateLimited, SourceRejected, PayloadError):
                raise
            except SourceUnavailable:
                self.counters.retries += 1
            await self._timing.sleep(self._retry.wait_s(attempt, self._timing.random()))
        return await self._attempt(path, params, weight)

    async def clock_sample(self) -> ClockSample:
        """Ask the exchange for its time; errors as in `get`."""
        answer = await self.ask(f"{self._addresses.prefix}/time", weight=1)
        server_ms = answer.body.get("serverTime") if isinstance(answer.body, dict) else None
        if not isinstance(server_ms, int):
            raise self._counted("payload", PayloadError("the exchange's time is no number"))
        return ClockSample(answer.sent_s * 1_000, answer.received_s * 1_000, server_ms)

    async def _attempt(self, path: str, params: Params | None, weight: int) -> Answer:
        async with self._places:
            async with self._turn:
                await self._wait_for_turn(path, weight)
                sent_ms, sent_s = self._timing.now_ms(), self._timing.monotonic_s()
                self.budget.spend(weight, sent_ms)
            self.counters.requests += 1
            self.counters.weight += weight
            raw = await self._sent(path, params, (weight, sent_ms))
            received_s = self._timing.monotonic_s()
        try:
            return Answer(orjson.loads(raw), sent_s, received_s)
        except orjson.JSONDecodeError:
            raise self._counted("payload", PayloadError(f"{path}: no JSON")) from None

    async def _wait_for_turn(self, path: str, weight: int) -> None:
        waited_s = 0.0
        while (wait_s := self.budget.wait_s(weight, self._timing.now_ms())) > 0:
            if waited_s + wait_s > self._settings.request_wait_s:
                text = f"{path}: no turn within {self._settings.request_wait_s:g} s"
                raise self._counted("queue", RateLimited(text))
            await self._timing.sleep(wait_s)
            waited_s += wait_s
            self.counters.waited_s += wait_s

    async def _sent(self, path: str, params: Params | None, spent: tuple[int, int]) -> bytes:
        """Return the body of an answer of status 200; `spent` is the weight and when."""
        url, weight, used = self._addresses.rest + path, spent[0], None
        try:
            async with self._session.get(
                url, params=params, timeout=self._timeout, allow_redirects=False
            ) as response:
                used = _number(response.headers.get(_WEIGHT_HEADER))
                raw = await self._read(response, path)
        except TimeoutError:
            limit = self._settings.request_timeout_s
            error = SourceUnavailable(f"{path}: no answer within {limit:g} s")
            raise self._counted("timeout", error) from None
        except (ClientError, OSError) as error:
            text = f"{path}: {type(error).__name__}: {error}"
            raise self._counted("network", SourceUnavailable(text)) from error
        finally:
            self.budget.settle(weight, used, spent[1], self._timing.now_ms())
        self._check(response, path, raw)
        return raw

    async def _read(self, response: ClientResponse, path: str) -> bytes:
        most = round(self._settings.max_answer_mb * 1e6)
        raw = bytearray()
        async for chunk in response.content.iter_chunked(_CHUNK):
            raw += chunk
            if len(raw) > most:
                text = f"{path}: more than {self._settings.max_answer_mb:g} MB"
                raise self._counted("payload", PayloadError(text))
        return bytes(raw)

    def _check(self, response: ClientResponse, path: str, raw: bytes) -> None:
        status = response.status
        if status == 200:
            return
        text = f"{path}: status {status}{_reason(raw)}"
        if status in (_TOO_MANY, _BANNED, _FIREWALL):
            raise self._counted("rate_limited", self._limited(response, text))
        if status == _TIMEOUT or not 400 <= status < 500:
            raise self._counted("server", SourceUnavailable(text))
        raise self._counted("rejected", SourceRejected(text))

    def _limited(self, response: ClientResponse, text: str) -> RateLimited:
        """Block the queue for as long as the exchange asks for."""
        seconds = _number(response.headers.get("Retry-After"))
        if seconds is None and response.status != _TOO_MANY:
            seconds = _LEAST_BAN_S
        now_ms = self._timing.now_ms()
        was_blocked = self.budget.blocked_until_ms > now_ms
        self.budget.block(seconds, now_ms)
        if not was_blocked:
            blocked_s = (self.budget.blocked_until_ms - now_ms) / 1_000
            logger.warning("%s; the next request waits %.0f s", text, blocked_s)
        return RateLimited(text)

    def _counted(self, kind: str, error: ScalpError) -> ScalpError:
        self.counters.errors[kind] += 1
        return error


def _number(header: str | None) -> int | None:
    is_number = header is not None and header.isascii() and header.isdigit()
    return int(header) if header and is_number and len(header) <= _MOST_DIGITS else None


def _reason(raw: bytes) -> str:
    """Return the exchange's code and message, when the body has them."""
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return ""
    if not isinstance(body, dict) or "code" not in body:
        return ""
    return f", code {body['code']}: {body.get('msg', '')}"[:_SHOWN]

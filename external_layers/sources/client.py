"""HTTP and websocket calls of one fetch: in turn, bounded, and with errors that tell no key."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit, urlunsplit

import orjson
from aiohttp import (
    ClientError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    ClientWebSocketResponse,
    ClientWSTimeout,
    WSMsgType,
    WSServerHandshakeError,
)

from external_layers.binance.pacing import Timing
from external_layers.sources.answers import (
    OK,
    UNCHANGED,
    HttpReply,
    network_problem,
    refusal,
    retry_after_s,
)
from external_layers.sources.conditional import Conditions
from external_layers.sources.gate import Gate, NoTurn
from external_layers.sources.memory_file import Validators
from external_layers.sources.scrub import Secrets
from external_layers.sources.spec import Params, SourceSpec
from scalp_strategy.errors import PayloadError, RateLimited, ScalpError, SourceUnavailable
from scalp_strategy.setting_groups.sources import SourcesSettings

_AGENT: Final = "scalp-layers (market data for one trader)"
# The library's own limits, when they end, may take a stop for themselves.
_NO_LIMIT: Final = ClientTimeout(total=None)
_CLOSE_S: Final = 0.5  # what a closing handshake may take
_CHUNK: Final = 65_536
_ERROR_BYTES: Final = 4_096  # of an error's body
_TOO_LARGE: Final = 1_009  # close codes of a websocket
_NORMAL: Final = (1_000, 1_001)
_DATA: Final = (WSMsgType.TEXT, WSMsgType.BINARY)
_SOCKETS: Final = {"http": "ws", "https": "wss"}


@dataclass(frozen=True, slots=True)
class Wire:
    """What all clients of a provider share.

    Attributes
    ----------
    session
        The one client session; it is neither made nor closed here.
    address
        Where the provider is.
    is_moved
        The provider's own address is replaced: whole URLs are looked for beneath `address` too.
    """

    session: ClientSession
    settings: SourcesSettings
    timing: Timing
    gate: Gate
    address: str
    is_moved: bool


class _Target(NamedTuple):
    """An address, how errors name it, and its host where the source gave a whole URL."""

    url: str
    where: str
    host: str


class HttpClient:
    """The calls of one fetch; see `spec.Client`.

    Parameters
    ----------
    spec
        The source.
    wire
        The way to its provider.
    secrets
        Its keys.
    deadline_s
        Monotonic seconds until which a call may wait for its turn.
    validators
        Of earlier answers.
    call_s
        Seconds that a call may take; None where the fetch as a whole has its limit.

    Attributes
    ----------
    calls
        Calls made.
    conditions
        The validators, those of this fetch included.
    """

    def __init__(
        self,
        spec: SourceSpec,
        wire: Wire,
        secrets: Secrets,
        deadline_s: float,
        validators: Mapping[str, Validators],
        call_s: float | None = None,
    ) -> None:
        self.calls = 0
        self.conditions = Conditions(validators, secrets)
        self._spec = spec
        self._wire = wire
        self._secrets = secrets
        self._deadline_s = deadline_s
        self._call_s = call_s
        self._most_bytes = round(spec.provider.max_mb * 1e6)
        self._waiting = 0
        self._was_cut_off = False
        self._last = b""

    @property
    def sample(self) -> str:
        """The beginning of the last answer, without keys."""
        return self._secrets.sample(self._last)

    @property
    def is_waiting(self) -> bool:
        """Whether the fetch was ended while calls waited for their turn, and none for an answer."""
        return self._waiting > 0 and not self._was_cut_off

    async def get(
        self,
        path: str,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        is_conditional: bool = False,
    ) -> HttpReply:
        """Return the answer to a GET request.

        Raises
        ------
        NoTurn
            The budget or a pause leaves no room within the fetch's time.
        RateLimited
            The provider asked for a pause: 429, or 403 and 503 with Retry-After.
        SourceUnavailable
            No answer, or one of any status but 200, 304 when asked for, and 4xx.
        SourceRejected
            Any other 4xx.
        PayloadError
            An answer that is too large.
        """
        target = self._target(path)
        name = self.conditions.name_of(target.url, params)
        extra = self.conditions.headers(name) if is_conditional else {}
        ask = {"User-Agent": _AGENT, **(headers or {}), **extra}
        reply, got = await self._asked("GET", target, ask, params=params)
        if reply.is_unchanged and not extra:
            raise SourceUnavailable(f"{target.where}: unchanged, but nothing was known")
        if is_conditional and not reply.is_unchanged:
            self.conditions.keep(name, got)
        return reply

    async def post(
        self,
        path: str,
        json: Any,
        headers: Mapping[str, str] | None = None,
        *,
        form: Mapping[str, str] | None = None,
    ) -> HttpReply:
        """Return the answer to a POST request; errors as in `get`."""
        target = self._target(path)
        ask = {"User-Agent": _AGENT, **(headers or {})}
        body: dict[str, Any] = {"json": json} if form is None else {"data": dict(form)}
        reply, _ = await self._asked("POST", target, ask, **body)
        if reply.is_unchanged:
            raise SourceUnavailable(f"{target.where}: unchanged, but nothing was known")
        return reply

    async def messages(
        self, path: str, opening: Sequence[Any]
    ) -> AsyncGenerator[tuple[bytes, int], None]:
        """Yield the messages of a websocket until the provider closes it, and when they came.

        Parameters
        ----------
        path
            As in `get`.
        opening
            JSON values, or texts as they are, that are sent first.

        Raises
        ------
        ScalpError
            As in `get`; `SourceUnavailable` also when the connection breaks.
        """
        target = self._target(path)
        socket = await self._connected(target)
        try:
            for each in opening:
                text = each if isinstance(each, str) else orjson.dumps(each).decode()
                await socket.send_str(text)
            while (message := await socket.receive()).type in _DATA:
                self._last = message.data
                yield message.data, self._wire.timing.now_ms()
        except (ClientError, OSError) as error:
            raise SourceUnavailable(f"{target.where}: {network_problem(error)}") from None
        finally:
            await socket.close()
        if socket.close_code == _TOO_LARGE:
            limit = self._spec.provider.max_mb
            raise PayloadError(f"{target.where}: a message of more than {limit:g} MB")
        if message.type is WSMsgType.ERROR or socket.close_code not in _NORMAL:
            raise SourceUnavailable(f"{target.where}: closed, code {socket.close_code}")

    # ---- one call ----

    async def _asked(
        self, method: str, target: _Target, headers: Mapping[str, str], **given: Any
    ) -> tuple[HttpReply, Mapping[str, str]]:
        """Return an answer of status 200 or 304 and its headers."""
        await self._turn(target)
        try:
            async with (
                asyncio.timeout(self._call_s),
                self._wire.session.request(
                    method,
                    target.url,
                    headers=headers,
                    allow_redirects=False,
                    timeout=_NO_LIMIT,
                    **given,
                ) as response,
            ):
                self._last = body = await self._read(response, target.where)
        except (ClientError, OSError) as error:
            raise SourceUnavailable(f"{target.where}: {network_problem(error)}") from None
        except asyncio.CancelledError:
            self._was_cut_off = True
            raise
        if response.status not in (OK, UNCHANGED):
            known = self._secrets.with_header(headers)
            raise self._refused(target, response.status, response.headers, known.sample(body))
        received_ms, is_unchanged = self._wire.timing.now_ms(), response.status == UNCHANGED
        return HttpReply(body, received_ms, is_unchanged, target.where), response.headers

    async def _turn(self, target: _Target) -> None:
        self._waiting += 1
        try:
            await self._wire.gate.turn(self._deadline_s, target.host)
        except NoTurn as error:
            self._waiting -= 1
            raise NoTurn(f"{target.where}: {error}") from None
        self._waiting -= 1  # not when it was cancelled: see `is_waiting`
        self.calls += 1

    async def _read(self, response: ClientResponse, where: str) -> bytes:
        if response.status != OK:
            with suppress(ClientError, OSError):  # the status says enough
                return await response.content.read(_ERROR_BYTES)
            return b""
        raw = bytearray()
        async for chunk in response.content.iter_chunked(_CHUNK):
            raw += chunk
            if len(raw) > self._most_bytes:
                self._last = bytes(raw[:_ERROR_BYTES])
                raise PayloadError(f"{where}: more than {self._spec.provider.max_mb:g} MB")
        return bytes(raw)

    def _refused(
        self, target: _Target, status: int, headers: Mapping[str, str], said: str
    ) -> ScalpError:
        """Return what a refusal means; a pause that it asks for is kept."""
        is_telling = said and not said.startswith("<")
        text = f"{target.where}: status {status}{f': {said}' if is_telling else ''}"
        error = refusal(text, status, headers)
        if isinstance(error, RateLimited):
            wait_s = retry_after_s(headers.get("Retry-After", ""), self._wire.timing.now_ms())
            default_s = self._wire.settings.default_pause_s
            self._wire.gate.pause(default_s if wait_s is None else wait_s, target.host)
        return error

    async def _connected(self, target: _Target) -> ClientWebSocketResponse[bool]:
        await self._turn(target)
        parts = urlsplit(target.url)
        address = urlunsplit(parts._replace(scheme=_SOCKETS.get(parts.scheme, parts.scheme)))
        try:
            async with asyncio.timeout(self._spec.timeout_s):
                return await self._wire.session.ws_connect(
                    address,
                    heartbeat=self._wire.settings.heartbeat_s,
                    max_msg_size=self._most_bytes,
                    timeout=ClientWSTimeout(ws_close=_CLOSE_S),
                    headers={"User-Agent": _AGENT},
                    decode_text=False,
                )
        except WSServerHandshakeError as error:
            raise self._refused(target, error.status, error.headers or {}, "") from None
        except (ClientError, OSError) as error:
            raise SourceUnavailable(f"{target.where}: {network_problem(error)}") from None

    # ---- addresses ----

    def _target(self, path: str) -> _Target:
        parts = urlsplit(path)
        host = parts.netloc.rpartition("@")[2] if parts.scheme else ""
        url = path if host and not self._wire.is_moved else self._beneath(path)
        named = f"{host}{parts.path}" if host else urlsplit(url).path or "/"
        return _Target(url, self._secrets.shown(f"{self._spec.name} {named}"), host)

    def _beneath(self, path: str) -> str:
        """Return a path, or a whole URL, beneath the provider's address."""
        base = self._wire.address.rstrip("/")
        rest = path.partition("://")[2] or path
        return base + rest if rest[:1] in ("", "?") else f"{base}/{rest.lstrip('/')}"

"""Whether the bot still asks: once when it fell silent and once when it is back, the chat is told.

Silence is time in which this process was up and could have heard the bot. So neither a machine
that slept nor a clock that was set makes the bot silent.
"""

import asyncio
import logging
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec
from aiohttp import ClientSession

from external_layers.binance.pacing import Backoff, Timing
from external_layers.bot_words import return_words, silence_words
from external_layers.chat import Chat, ChatPause
from external_layers.outside import Tell
from external_layers.run_config import RunConfig
from external_layers.store.event import Event
from scalp_strategy.errors import ScalpError, SourceRejected, StoreError
from scalp_strategy.files import replace_file
from scalp_strategy.settings import Settings

logger = logging.getLogger(__name__)

SILENT: Final = "bot_silent"  # kinds of events
BACK: Final = "bot_back"
FILE: Final = "bot.json"
_LOOK_S: Final = 5.0
_LOOKS: Final = 4.0  # in the time after which the bot counts as silent, at least
_SLOW: Final = 3.0  # looks' lengths; who looks later than that slept himself
_SAVE_S: Final = 60.0
_STOP_S: Final = 2.0  # for a message under way when the sidecar ends
_REFUSED_S: Final = 600.0  # until a chat that refused is asked again
_JITTER: Final = 0.2
_ADVICE: Final = "Open positions are not managed by the sidecar; check the bot."


class Speaker(Protocol):
    """Where the bot's silence is told."""

    async def send(self, text: str) -> None:
        """Send a text once; a `ScalpError` says that it was not."""


class Memory(msgspec.Struct, forbid_unknown_fields=True):
    """What has to outlive a restart.

    Attributes
    ----------
    heard_ms
        When the bot asked last, epoch milliseconds; 0 = never.
    silent_s
        Seconds of silence since.
    is_silent
        Whether it counts as silent.
    since_ms, until_ms
        When it asked last before the latest silence, and first after it.
    is_told
        Whether the chat has it as silent.
    """

    heard_ms: int = 0
    silent_s: float = 0.0
    is_silent: bool = False
    since_ms: int = 0
    until_ms: int = 0
    is_told: bool = False


class BotWatch:
    """Listens for the bot.

    A bot is missed only after it has asked for scores as of a close, as bots alone do. One that
    reads scores from Redis never does, so there its questions for events count from the first.

    Parameters
    ----------
    path
        The file that remembers.
    settings
        `sidecar.bot_silence_s` (0 = never silent), `sidecar.transport`, the chat's retries.
    timing
        Clocks, waiting and chance.
    tell
        Told each silence and each return as an event; waits for the disk.
    speaker
        The chat; None = there is none.
    """

    def __init__(
        self,
        path: Path,
        settings: Settings,
        timing: Timing,
        tell: Tell,
        speaker: Speaker | None = None,
    ) -> None:
        self._path, self._timing, self._tell, self._speaker = path, timing, tell, speaker
        self._limit_s = settings.sidecar.bot_silence_s
        self._counts_events = settings.sidecar.transport == "redis"
        retry = settings.telegram
        self._backoff = Backoff(retry.retry_first_s, retry.retry_longest_s, _JITTER)
        self.look_s = min(_LOOK_S, self._limit_s / _LOOKS) if self.is_on else _LOOK_S
        self._memory = _remembered(path) if self.is_on else Memory()
        self._saved = msgspec.structs.replace(self._memory)
        self._looked_s = self._saved_s = timing.monotonic_s()
        self._was_heard = False
        self._is_untold, self._saving = asyncio.Event(), asyncio.Lock()
        self._sending: asyncio.Task[None] | None = None
        self._failures, self._wait_s = 0, 0.0
        self.problem: str | None = None

    @property
    def is_on(self) -> bool:
        """Whether silence is looked for."""
        return self._limit_s > 0

    @property
    def is_silent(self) -> bool:
        """Whether the bot counts as silent."""
        return self._memory.is_silent

    @property
    def heard_ms(self) -> int | None:
        """When the bot asked last, epoch milliseconds; None = it never did."""
        return self._memory.heard_ms or None

    def report(self) -> dict[str, Any]:
        """Return the state as JSON values."""
        memory = self._memory
        return {
            "is_watched": self.is_on,
            "last_heard_ms": self.heard_ms,
            "silent_s": memory.silent_s if memory.heard_ms and self.is_on else None,
            "is_silent": memory.is_silent,
            "has_chat": self._speaker is not None,
            "is_told": self._saved.is_told,  # what a restart would know
            "problem": self.problem,
        }

    def words(self) -> str:
        """Return the latest silence in words, or the return from it."""
        memory = self._memory
        if memory.is_silent:
            return silence_words(memory.since_ms, self._timing.now_ms())
        return return_words(memory.since_ms, memory.until_ms, self._timing.now_ms())

    def resume(self, events: Iterable[Event]) -> None:
        """Take over a change that was told as an event and, killed in between, not remembered."""
        told = [event for event in events if event.kind in (SILENT, BACK)]
        if self.is_on and told and (told[-1].kind == SILENT) != self._memory.is_silent:
            if told[-1].kind == BACK:
                self._memory.heard_ms = self._memory.until_ms = told[-1].at_ms
                self._memory.silent_s = 0.0
            self._turn()

    def asked_for_scores(self, at_ms: int | None) -> None:
        """Note a question for scores; without an instant it is not the bot's."""
        if at_ms is not None:
            self._hear()

    def asked_for_events(self) -> None:
        """Note a question for events."""
        if self._memory.heard_ms or self._counts_events:
            self._hear()

    # ---- jobs ----

    async def look(self) -> None:
        """Count the time since the last look; tell when the bot fell silent or is back.

        Raises
        ------
        StoreError
            When the state cannot be kept.
        """
        if not self.is_on:
            return
        self._count()
        memory = self._memory
        is_over = memory.is_silent and self._was_heard
        is_new = not memory.is_silent and memory.silent_s >= self._limit_s
        self._was_heard = False
        if is_over or is_new:
            self._turn()
            kind = SILENT if memory.is_silent else BACK
            logger.warning("%s", self.words())
            data = {"last_heard_ms": memory.since_ms}
            await asyncio.to_thread(self._tell, kind, self.words(), None, data)
            await self._save()
            self._is_untold.set()
        elif self._timing.monotonic_s() - self._saved_s >= _SAVE_S:
            await self._save()

    async def until_untold(self) -> None:
        """Wait until the chat has something to be told, and after a failure for a while more."""
        while not self._has_to_tell:
            self._is_untold.clear()
            await self._is_untold.wait()
        await self._timing.sleep(self._wait_s)

    async def tell_chat(self) -> None:
        """Tell the chat how it is, once, where it has it otherwise; never raises for a failure.

        Whoever ends this does not end a message under way. What could not be told before it was
        over is not told any more.
        """
        if not self._has_to_tell:
            self._failures, self._wait_s, self.problem = 0, 0.0, None
        elif self._speaker is not None:
            self._sending = asyncio.create_task(self._send(self._speaker))
            await asyncio.shield(self._sending)

    async def stop(self) -> None:
        """Let a message under way arrive, and keep the state."""
        if self._sending is not None and not self._sending.done():
            await asyncio.wait([self._sending], timeout=_STOP_S)
            self._sending.cancel()
            await asyncio.wait([self._sending])
        if not self.is_on:
            return
        try:
            await self._save()
        except StoreError as error:  # the rest of the sidecar has to end all the same
            logger.error("the watch for the bot is not kept: %s", error)  # noqa: TRY400

    # ---- how ----

    @property
    def _has_to_tell(self) -> bool:
        return self._speaker is not None and self._memory.is_told != self._memory.is_silent

    def _hear(self) -> None:
        self._memory.heard_ms = self._timing.now_ms()
        if self._memory.is_silent and not self._was_heard:
            self._memory.until_ms = self._memory.heard_ms
        self._memory.silent_s, self._was_heard = 0.0, True
        self._looked_s = self._timing.monotonic_s()

    def _count(self) -> None:
        now_s = self._timing.monotonic_s()
        if self._memory.heard_ms:
            passed_s = now_s - self._looked_s
            self._memory.silent_s += min(passed_s, self.look_s * _SLOW)
        self._looked_s = now_s

    def _turn(self) -> None:
        memory = self._memory
        memory.is_silent = not memory.is_silent
        if memory.is_silent:
            memory.since_ms = memory.heard_ms

    async def _send(self, speaker: Speaker) -> None:
        is_silent = self._memory.is_silent
        text = f"🔇 {self.words()} {_ADVICE}" if is_silent else f"🔊 {self.words()}"
        try:
            await speaker.send(text)
        except ScalpError as error:
            self._failed(error)
            return
        if self._failures:
            logger.info("the chat can be told again")
        self._failures, self._wait_s, self.problem = 0, 0.0, None
        self._memory.is_told = is_silent
        with suppress(StoreError):  # the next look saves too, and says what is wrong
            await self._save()

    def _failed(self, error: ScalpError) -> None:
        self._failures += 1
        wait_s = self._backoff.wait_s(self._failures, self._timing.random())
        if isinstance(error, ChatPause):
            wait_s = max(wait_s, error.wait_s)
        elif isinstance(error, SourceRejected):
            wait_s = _REFUSED_S
        self._wait_s, self.problem = wait_s, str(error)
        if self._failures == 1:
            logger.warning("the chat cannot be told about the bot: %s", error)

    async def _save(self) -> None:
        self._saved_s = self._timing.monotonic_s()
        async with self._saving:  # an older content must not come after a newer one
            memory = msgspec.structs.replace(self._memory)
            if memory != self._saved:
                await asyncio.to_thread(replace_file, self._path, msgspec.json.encode(memory))
                self._saved = memory


def bot_watch(config: RunConfig, session: ClientSession, timing: Timing, tell: Tell) -> BotWatch:
    """Return the watch of a sidecar; see `BotWatch`.

    Parameters
    ----------
    config
        How the sidecar is to run.
    session
        The one client session; it is neither made nor closed here.
    timing, tell
        As of `BotWatch`.
    """
    timeout_s = config.settings.sidecar.feed.request_timeout_s
    chat = Chat(session, config.chat, timeout_s) if config.chat else None
    return BotWatch(config.data_dir / FILE, config.settings, timing, tell, chat)


def _remembered(path: Path) -> Memory:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Memory)
    except FileNotFoundError:
        return Memory()
    except (OSError, msgspec.DecodeError) as error:
        logger.warning("%s is not used: %s", path, error)
        return Memory()

"""A courier with a real bot, on a clock that only waiting moves, and a journal in memory."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from telegram import Bot
from telegram.request import HTTPXRequest

from scalp_strategy.journal.records import MessageRecord
from scalp_strategy.notice import Notice, NoticeKind
from scalp_strategy.setting_groups.telegram import TelegramSettings
from scalp_strategy.signals import SignalKey
from scalp_strategy.telegram.courier import SIGNALS, Chat, Courier, Timing
from tests.support.bot_api import BotApi

TOKEN: Final = "1000:secret-of-the-test"  # noqa: S105
SIGNALS_TOKEN: Final = "2000:other-secret-of-the-test"  # noqa: S105
PERSON: Final = 42
GROUP: Final = -100_500
CHANNEL: Final = -100_777
START: Final = datetime(2026, 3, 2, 10, 15, tzinfo=UTC)
_LIMIT_S: Final = 30.0
_READ_S: Final = 0.3


@dataclass
class SleepingTime:
    """Time that passes only where somebody waits; `asleep` hears how long, each time."""

    passed_s: float = 0.0
    slept: list[float] = field(default_factory=list)
    asleep: Callable[[float], None] = lambda _seconds: None

    def clock(self) -> float:
        return self.passed_s

    def now(self) -> datetime:
        return START + timedelta(seconds=self.passed_s)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.passed_s += seconds
        self.asleep(seconds)
        await asyncio.sleep(0)

    @property
    def timing(self) -> Timing:
        return Timing(self.now, self.clock, self.sleep)


@dataclass
class Kept:
    """Keeps records as the journal does: the latest of each message, in the order of the first."""

    records: list[MessageRecord] = field(default_factory=list)

    def __call__(self, record: MessageRecord) -> None:
        self.records.append(record)

    def messages(self) -> list[MessageRecord]:
        latest: dict[tuple[str, str], MessageRecord] = {}
        for record in self.records:
            known = latest.get((record.channel, record.key))
            assert known is None or known.revision < record.revision
            latest[record.channel, record.key] = record
        return list(latest.values())

    def of(self, key: str, channel: str = "main") -> MessageRecord:
        """Return what is kept of a message."""
        return next(one for one in self.messages() if (one.key, one.channel) == (key, channel))


class Killed(BaseException):
    """The process ends here."""


def notice(
    key: str, html: str | None = None, kind: NoticeKind = "health", **changes: Any
) -> Notice:
    """A notice that says its key, unless told otherwise."""
    text = key if html is None else html
    signal = SignalKey("SOL/USDT:USDT", "long", START) if kind == "signal" else None
    values: dict[str, Any] = {"plain": text, "at": START, "signal": signal}
    return Notice(key, kind, text, **values | changes)


def settings(**changes: Any) -> TelegramSettings:
    return TelegramSettings(**changes)


@dataclass
class Desk:
    """A courier, and what it needs to work at a server; `chats` by channel, with their tokens."""

    api: BotApi
    rules: TelegramSettings = field(default_factory=settings)
    time: SleepingTime = field(default_factory=SleepingTime)
    kept: Kept = field(default_factory=Kept)
    chats: dict[str, tuple[str, int]] = field(default_factory=lambda: {"main": (TOKEN, PERSON)})

    def __post_init__(self) -> None:
        self.restart()

    def restart(self, messages: Iterable[MessageRecord] | None = None) -> Courier:
        """Begin with another courier, which knows what was kept."""
        self.courier = Courier(self.rules, "test", self.kept, self.time.timing)
        self.courier.restore(self.kept.messages() if messages is None else messages)
        return self.courier

    def deliver(
        self,
        story: Callable[[Courier, Bot], Awaitable[None]] | None = None,
        limit_s: float = _LIMIT_S,
        read_s: float = _READ_S,
    ) -> bool:
        """Run the courier, play a story beside it, and end when all is brought; say whether."""
        return asyncio.run(self._deliver(story, limit_s, read_s))

    async def _deliver(
        self,
        story: Callable[[Courier, Bot], Awaitable[None]] | None,
        limit_s: float,
        read_s: float,
    ) -> bool:
        async with contextlib.AsyncExitStack() as stack:
            bots = {}
            for channel, (token, chat_id) in self.chats.items():
                bots[channel] = await stack.enter_async_context(_bot(self.api, token, read_s))
                self.courier.connect(Chat(bots[channel], str(chat_id)), channel)
            running = asyncio.create_task(self.courier.run())
            await asyncio.sleep(0)
            if story is not None:
                await story(self.courier, bots["main"])
            finishing = asyncio.create_task(self.courier.finish(limit_s))
            await asyncio.wait([running, finishing], return_when=asyncio.FIRST_COMPLETED)
            finishing.cancel()
            running.cancel()
            ends = await asyncio.gather(running, finishing, return_exceptions=True)
            if isinstance(ends[0], BaseException) and not isinstance(
                ends[0], asyncio.CancelledError
            ):
                raise ends[0]
            return self.courier.is_idle


@contextlib.asynccontextmanager
async def _bot(api: BotApi, token: str, read_s: float) -> Any:
    request = HTTPXRequest(read_timeout=read_s)
    try:
        yield Bot(token, base_url=api.base_url, request=request, get_updates_request=HTTPXRequest())
    finally:
        await request.shutdown()


def with_signals_channel(desk: Desk) -> Desk:
    """Give signals a channel of their own."""
    desk.chats[SIGNALS] = (SIGNALS_TOKEN, CHANNEL)
    return desk

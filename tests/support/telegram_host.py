"""The host's Telegram in its own thread, ours in its place, with a real engine and journal.

Only the bot around them is a stub: it never loops. What is asked of the trading loop is done at
once, unless a test holds it back.
"""

from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import pandas as pd
from freqtrade.enums import RunMode, State, TradingMode
from freqtrade.rpc import RPC
from freqtrade.rpc import telegram as host_telegram

from scalp_strategy.bot_files import bot_name
from scalp_strategy.engine import Engine
from scalp_strategy.journal.records import Record
from scalp_strategy.settings import Settings
from scalp_strategy.state_file import AdminRequest
from scalp_strategy.telegram.install import install
from tests.support.bot_api import BotApi
from tests.support.host_stub import PAIR
from tests.support.live_trades import trades_in

TOKEN: Final = "1000:secret-of-the-chat"  # noqa: S105
SIGNALS_TOKEN: Final = "2000:secret-of-the-signals"  # noqa: S105
ADMIN: Final = 42
MEMBER: Final = 43
STRANGER: Final = 666
GROUP: Final = -100_500
ANONYMOUS: Final = 1_087_968_824  # Telegram's user for all who speak as their group
_FAST: Final = {
    "min_interval_s": 0.0,
    "min_group_interval_s": 0.0,
    "retry_first_s": 0.01,
    "answer_timeout_s": 1.0,
}


class PromptEngine(Engine):
    """An engine whose trading loop takes what is asked at once, unless it is held."""

    is_held = False

    def ask(self, request: AdminRequest, by: str) -> "Future[str]":
        answer = super().ask(request, by)
        if not self.is_held:
            self.serve()
        return answer

    def serve(self) -> None:
        """Do what the loop does first of all."""
        assert self.live is not None
        self.live.begin(datetime.now(UTC))


class Data:
    """The host's data provider: the pair list and analysed candles."""

    runmode = RunMode.DRY_RUN

    def __init__(self) -> None:
        self.pairs = [PAIR, "ETH/USDT:USDT", "DOGE/USDT:USDT"]
        self.frames: dict[str, pd.DataFrame] = {}

    def current_whitelist(self) -> list[str]:
        return list(self.pairs)

    def get_analyzed_dataframe(self, pair: str, _timeframe: str) -> tuple[Any, Any]:
        return self.frames.get(pair, pd.DataFrame()), None


def strategy_of(folder: Path, settings: Settings, telegram: Mapping[str, Any]) -> SimpleNamespace:
    """Return what the engine and the chat ask of a strategy."""
    config = {
        "user_data_dir": folder,
        "dry_run": True,
        "trading_mode": "futures",
        "stake_currency": "USDT",
        "timeframe": "15m",
        "max_open_trades": 50,
        "bot_name": "chat-test",
        "runmode": RunMode.DRY_RUN,
        "telegram": dict(telegram),
    }
    wallets = SimpleNamespace(
        get_total_stake_amount=lambda: 10_000.0, get_available_stake_amount=lambda: 10_000.0
    )
    return SimpleNamespace(
        base_settings=settings,
        settings=settings,
        config=config,
        dp=Data(),
        wallets=wallets,
        timeframe="15m",
        engine=None,
        telegram_bot=None,
        version=lambda: "the code",
        candles_shown=lambda _pair, _timeframe: None,
    )


@dataclass
class House:
    """A bot with its chat."""

    api: BotApi
    strategy: SimpleNamespace
    telegram: Any
    host: SimpleNamespace
    chat_id: int
    seen: int = field(default=0)

    @property
    def engine(self) -> PromptEngine:
        engine: PromptEngine = self.strategy.engine
        return engine

    def record(self, *records: Record) -> None:
        """Write to the bot's journal."""
        for record in records:
            assert self.engine.keeper is not None
            self.engine.keeper.record(record)
        self.engine.keeper.drain()

    @property
    def bot(self) -> str:
        return bot_name(self.strategy.config)

    def say(self, text: str, by: int | None = None, chat_id: int | None = None) -> None:
        chat = self.chat_id if chat_id is None else chat_id
        self.api.say(TOKEN, chat, text, user_id=by)

    def answers(self, text: str, by: int | None = None, count: int = 1) -> list[str]:
        """Say something and return the texts that come back."""
        self.say(text, by)
        return self.news(count, text)

    def answer(self, text: str, by: int | None = None) -> str:
        return self.answers(text, by)[0]

    def news(self, count: int = 1, after: str = "") -> list[str]:
        """Wait for so many messages that were not looked at yet."""
        self.api.wait_for(
            lambda: len(self.api.history(TOKEN, self.chat_id)) >= self.seen + count,
            f"{count} messages after {after!r}",
        )
        messages = self.api.history(TOKEN, self.chat_id)[self.seen :]
        self.seen += len(messages)
        return [message.text for message in messages]

    def is_quiet(self, admin: int = ADMIN) -> bool:
        """Whether all that was said so far has got no answer: the next answer is the next."""
        return self.answer("/heat", admin).startswith("Portfolio Heat")

    def push(self, **content: Any) -> None:
        """Let an update of any kind come, in its wire form."""
        self.api._update(TOKEN, content)


@contextmanager
def running_telegram(
    api: BotApi,
    folder: Path,
    chat_id: int = ADMIN,
    *,
    rules: Mapping[str, Any] | None = None,
    section: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    is_started: bool = True,
) -> Iterator[House]:
    """Run the chat of a bot.

    Parameters
    ----------
    rules
        `scalp.telegram`.
    section
        The host's `telegram`.
    settings
        Other groups of `scalp`.
    is_started
        Whether there is an engine.
    """
    api.add_bot(TOKEN, [chat_id, ADMIN, MEMBER, STRANGER, GROUP])
    telegram = {
        "enabled": True,
        "token": TOKEN,
        "chat_id": str(chat_id),
        "base_url": api.base_url,
    } | dict(section or {})
    known = Settings.model_validate({**(settings or {}), "telegram": _FAST | dict(rules or {})})
    with trades_in():
        strategy = strategy_of(folder, known, telegram)
        if is_started:
            strategy.engine = PromptEngine(strategy, known)
        host = SimpleNamespace(
            strategy=strategy,
            config=strategy.config,
            state=State.RUNNING,
            trading_mode=TradingMode.FUTURES,
            dataprovider=strategy.dp,
            wallets=strategy.wallets,
        )
        install()
        running = host_telegram.Telegram(RPC(host), strategy.config)
        try:
            api.wait_for(lambda: api.is_polled(TOKEN), "the bot listens")
            yield House(api, strategy, running, host, chat_id)
        finally:
            running.cleanup()

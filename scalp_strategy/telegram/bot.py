"""Freqtrade's Telegram, extended: our commands first, the host's behind, one order of messages."""

import asyncio
import contextlib
import logging
import os
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from freqtrade.exceptions import OperationalException
from freqtrade.rpc import telegram as host_telegram
from telegram import InlineKeyboardButton, Message, ReplyKeyboardMarkup, Update
from telegram.constants import ParseMode
from telegram.error import TelegramError
from telegram.ext import (
    Application,
    ApplicationHandlerStop,
    CallbackQueryHandler,
    CommandHandler,
    ExtBot,
    TypeHandler,
)
from telegram.request import HTTPXRequest

from scalp_strategy.bot_files import bot_name
from scalp_strategy.errors import ConfigError
from scalp_strategy.journal.records import MessageRecord
from scalp_strategy.telegram.address import SecondBot, checked_base_url, second_bot
from scalp_strategy.telegram.admin import Asked, Gate, Pass
from scalp_strategy.telegram.commands import COMMANDS
from scalp_strategy.telegram.courier import MAIN, SIGNALS, Chat, Courier
from scalp_strategy.telegram.facts import Facts
from scalp_strategy.telegram.handlers import CONFIRM, Handlers
from scalp_strategy.telegram.help_text import ADMIN_COMMANDS, HOST_METHODS

logger = logging.getLogger(__name__)

# The host's own class, also when ours is in its place already.
_Host: Any = getattr(host_telegram.Telegram, "scalp_base", host_telegram.Telegram)

OWN_BUTTONS: Final = frozenset(
    f"/{name}" for name in (*COMMANDS, *HOST_METHODS, *(name for name, _ in ADMIN_COMMANDS))
)
KEYBOARD: Final = [
    ["/signals", "/open", "/pnl"],
    ["/stats", "/heat", "/sources"],
    ["/pause", "/resume", "/help"],
]
NOT_YOURS: Final = "Only an admin may do that."
_LAST_WORDS_S: Final = 3.0
_TIMEOUT_S: Final = 20.0
_AGAIN_S: Final = 5.0
_AGAIN_LONGEST_S: Final = 300.0
_TRADE_MESSAGES: Final = ("entry", "exit")
_STRATEGY_MESSAGE: Final = "strategy_msg"


class Telegram(_Host):
    """The host's Telegram with our commands, our messages and a guard at the door.

    Its name is the host's: that is how the host knows whose messages it may hand over. For a
    strategy that is not ours it is the host's own.

    Raises
    ------
    OperationalException
        When the address of the Bot API or the second bot is not as it must be.
    """

    scalp_base = _Host

    def __new__(cls, rpc: Any, config: dict[str, Any]) -> Any:
        """Return a new one, to be initialised; for another strategy the host's own, complete."""
        if hasattr(rpc._freqtrade.strategy, "telegram_bot"):
            return super().__new__(cls)
        return _Host(rpc, config)

    def __init__(self, rpc: Any, config: dict[str, Any]) -> None:
        host, strategy = rpc._freqtrade, rpc._freqtrade.strategy
        self._strategy = strategy
        self._settings = settings = strategy.base_settings.telegram
        self._gate = Gate(config["telegram"], settings.admin_ids)
        facts = Facts(strategy, lambda: str(host.state))
        self._handlers = Handlers(facts, self, settings.answer_timeout_s)
        self._keeping = threading.Lock()
        self._early: list[MessageRecord] = []
        self._keep_record: Callable[[MessageRecord], None] | None = None
        self.courier = Courier(settings, bot_name(config), self._keep)
        self._second_request: HTTPXRequest | None = None
        self._ends = asyncio.Event()
        try:
            self._base_url = checked_base_url(config["telegram"].get("base_url"))
            self._second = second_bot(os.environ)
        except ConfigError as error:
            raise OperationalException(str(error)) from error
        strategy.telegram_bot = self
        super().__init__(rpc, config)

    # ---- what the host asks ----

    def send_msg(self, msg: Any) -> None:
        """Send a message of the host's; our own texts are brought by the courier."""
        kind = str(getattr(msg["type"], "value", msg["type"]))
        engine = self._strategy.engine
        if kind == _STRATEGY_MESSAGE and engine is not None and engine.owns_message(msg["msg"]):
            return
        if self._settings.host_trade_messages == "none" and kind.startswith(_TRADE_MESSAGES):
            return
        super().send_msg(msg)

    def _init_keyboard(self) -> None:
        """Let the host check its own buttons; ours it does not know."""
        section = self._config["telegram"]
        given = section.get("keyboard", [])
        theirs = [[one for one in row if not _is_own(one)] for row in given]
        self._config["telegram"] = section | {"keyboard": [row for row in theirs if row]}
        try:
            super()._init_keyboard()
        finally:
            self._config["telegram"] = section
        self._keyboard = given or KEYBOARD

    def _init_telegram_app(self) -> Any:
        section, handlers = self._config["telegram"], self._handlers
        app = self._made_app(section["token"])
        app.add_handler(TypeHandler(Update, self._guard), group=-1)
        # Not one after another: who waits for the trading loop must not hold up all others.
        for name, command in COMMANDS.items():
            answer = partial(handlers.answer, command)
            app.add_handler(CommandHandler(name, answer, block=False))
        app.add_handler(CommandHandler("pause", handlers.pause, block=False))
        app.add_handler(CommandHandler("resume", handlers.resume, block=False))
        for name, method in HOST_METHODS.items():
            app.add_handler(CommandHandler(name, getattr(self, method)))
        app.add_handler(CallbackQueryHandler(handlers.confirmed, f"^{CONFIRM}", block=False))
        topic_id = section.get("topic_id")
        chat = Chat(app.bot, str(section["chat_id"]), None if topic_id is None else int(topic_id))
        self.courier.connect(chat, MAIN)
        if self._second is not None:
            self.courier.connect(self._second_chat(self._second), SIGNALS)
        return app

    def _made_app(self, token: str) -> Any:
        builder = Application.builder().token(token)
        builder = builder.read_timeout(_TIMEOUT_S).write_timeout(_TIMEOUT_S)
        if self._base_url:
            builder = builder.base_url(f"{self._base_url}/bot")
            builder = builder.base_file_url(f"{self._base_url}/file/bot")
        return builder.build()

    def _second_chat(self, second: SecondBot) -> Chat:
        self._second_request = HTTPXRequest(read_timeout=_TIMEOUT_S, write_timeout=_TIMEOUT_S)
        address: Any = {"base_url": f"{self._base_url}/bot"} if self._base_url else {}
        bot: Any = ExtBot(second.token, request=self._second_request, **address)
        return Chat(bot, second.chat_id)

    # ---- start and end, in the chat's thread ----

    async def _startup_telegram(self) -> None:
        """Bring messages and listen until `_cleanup_telegram`, whatever the network does."""
        bringing = asyncio.create_task(self.courier.run())
        ending = asyncio.create_task(self._ends.wait())
        again_s = _AGAIN_S
        while not self._ends.is_set():
            listening = asyncio.create_task(self._listen())
            await asyncio.wait({listening, ending}, return_when=asyncio.FIRST_COMPLETED)
            await _cancelled(listening)
            # The host gives up after three attempts, and would be deaf until a restart.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ends.wait(), again_s)
            again_s = min(2 * again_s, _AGAIN_LONGEST_S)
        await _cancelled(bringing)

    async def _listen(self) -> None:
        """Listen as the host does, until that fails or ends."""
        try:
            await super()._startup_telegram()
        except Exception as error:  # noqa: BLE001 - trading goes on, and its text may hold a token
            logger.warning("Telegram does not listen (%s); again later.", type(error).__name__)
        finally:
            if not self._ends.is_set() and self._app.running:
                await self._app.stop()

    async def _cleanup_telegram(self) -> None:
        try:
            # What is then left is kept for the next start.
            await self.courier.finish(_LAST_WORDS_S)
            if self._app.updater is not None and self._app.updater.running:
                await self._app.updater.stop()
            if self._app.running:
                await self._app.stop()
            await self._app.shutdown()
            if self._second_request is not None:
                await self._second_request.shutdown()
        except Exception as error:  # noqa: BLE001 - the end must come, and the host waits for it
            logger.warning("Telegram did not end properly: %s", type(error).__name__)
        finally:
            self._ends.set()

    # ---- what is said ----

    async def _send_msg(  # noqa: PLR0913, PLR0917 - the host's signature
        self,
        msg: str,
        parse_mode: str = ParseMode.MARKDOWN,
        disable_notification: bool = False,
        keyboard: Any = None,
        callback_path: str = "",
        reload_able: bool = False,
        query: Any = None,
    ) -> None:
        """Send as the host does, but in one order with ours, tried until it arrives."""
        is_interactive = query is not None or keyboard is not None or reload_able
        if is_interactive or parse_mode == ParseMode.MARKDOWN_V2:
            await super()._send_msg(
                msg, parse_mode, disable_notification, keyboard, callback_path, reload_able, query
            )
            return
        self.courier.send_host(msg, parse_mode, partial(self._send_part, disable_notification))

    async def _send_part(self, is_silent: bool, part: str, parse_mode: str | None) -> None:
        section = self._config["telegram"]
        await self._app.bot.send_message(
            section["chat_id"],
            text=part,
            parse_mode=parse_mode,
            reply_markup=ReplyKeyboardMarkup(self._keyboard, resize_keyboard=True),
            disable_notification=is_silent,
            message_thread_id=section.get("topic_id"),
        )

    async def say(self, html: str) -> None:
        """Say something, in the order of all messages."""
        await self._send_msg(html, parse_mode=ParseMode.HTML)

    async def show(self, photo: bytes, caption: str) -> None:
        """Show a picture, in the order of all messages."""
        self.courier.send_host(caption, ParseMode.HTML, partial(self._send_photo, photo))

    async def _send_photo(self, photo: bytes, caption: str, parse_mode: str | None) -> None:
        section = self._config["telegram"]
        await self._app.bot.send_photo(
            section["chat_id"],
            photo=photo,
            caption=caption,
            parse_mode=parse_mode,
            message_thread_id=section.get("topic_id"),
        )

    async def offer(self, html: str, label: str, data: str) -> None:
        """Say something with a button under it."""
        button = InlineKeyboardButton(label, callback_data=data)
        await self._send_msg(html, parse_mode=ParseMode.HTML, keyboard=[[button]])

    def keep_with(self, keep: Callable[[MessageRecord], None]) -> None:
        """Say who takes the records from now on; those made before there was anybody come first."""
        with self._keeping:
            for record in self._early:
                keep(record)
            self._early.clear()
            self._keep_record = keep

    def _keep(self, record: MessageRecord) -> None:
        # The chat may bring a message before the engine has its journal.
        with self._keeping:
            keep = self._keep_record or self._early.append
            keep(record)

    # ---- who may ----

    async def _guard(self, update: Update, _context: Any) -> None:
        """Stop what nobody may ask here, before any handler sees it."""
        asked = _asked(update)
        if asked is None:
            raise ApplicationHandlerStop
        verdict = self._gate.judge(asked)
        if verdict is Pass.YES:
            return
        if verdict is Pass.REFUSED:
            await self._refuse(update, asked)
        elif self._gate.is_new_stranger(asked):
            logger.warning("Telegram: user %s is a stranger and gets no answer.", asked.user_id)
        raise ApplicationHandlerStop

    async def _refuse(self, update: Update, asked: Asked) -> None:
        if update.callback_query is not None:
            with contextlib.suppress(TelegramError):
                await update.callback_query.answer(NOT_YOURS)
        elif self._gate.is_new_refusal(asked):
            await self.say(NOT_YOURS)


def _is_own(button: str) -> bool:
    return next(iter(button.split()), "") in OWN_BUTTONS


def _asked(update: Update) -> Asked | None:
    """Return what is asked; None for an edited message, a channel's post and all else."""
    user, query = update.effective_user, update.callback_query
    message = query.message if query is not None else update.message
    if message is None:
        return None
    full = message if isinstance(message, Message) else None
    user_id = user.id if user is not None else None
    if query is None and full is not None and full.sender_chat is not None:
        user_id = None  # who speaks in the name of a group or channel could be anybody of it
    return Asked(
        chat_id=message.chat.id,
        topic_id=full.message_thread_id if full is not None else None,
        user_id=user_id,
        text=full.text if full is not None and query is None else None,
        button=str(query.data) if query is not None else None,
    )


async def _cancelled(task: asyncio.Task[Any]) -> None:
    """Cancel a task and wait for its end; its own failure is logged without its text."""
    task.cancel()
    for ended in await asyncio.gather(task, return_exceptions=True):
        if isinstance(ended, Exception):
            logger.error("Telegram: %s", type(ended).__name__)

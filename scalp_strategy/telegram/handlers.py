"""What happens when a command comes: who reads in a thread, who asks the trading loop."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable
from concurrent.futures import Future
from typing import Any, Final, Protocol

from freqtrade.persistence import Trade
from telegram import Update
from telegram.error import TelegramError

from scalp_strategy.errors import StoreError
from scalp_strategy.journal.outside import one_line
from scalp_strategy.state_file import AdminRequest
from scalp_strategy.telegram.admin import Questions
from scalp_strategy.telegram.commands import NO_JOURNAL, STARTING, Answer, Command
from scalp_strategy.telegram.facts import STOPPED, Facts
from scalp_strategy.telegram.html import bold, escape, of_others

logger = logging.getLogger(__name__)

CONFIRM: Final = "scalp_resume__"  # what the button under the question sends, and its name
CONFIRM_LABEL: Final = "Resume today anyway"
UNANSWERED: Final = "This could not be answered; the log says why."
NOT_TAKEN: Final = "Asked; the trading loop has not taken it yet. /start shows when it has."
WAITS: Final = "Asked. Freqtrade is stopped, and takes it as soon as it runs: /ft_start"
NO_QUESTION: Final = (
    "This button was for another admin, was pressed already or is too old. Send /resume again."
)
_CONFIRM_S: Final = 300.0
_REASON_LENGTH: Final = 120


class Mouth(Protocol):
    """Who says things in the chat."""

    def say(self, html: str) -> Awaitable[None]:
        """Say something, in the order of all messages."""

    def show(self, photo: bytes, caption: str) -> Awaitable[None]:
        """Show a picture, in the order of all messages."""

    def offer(self, html: str, label: str, data: str) -> Awaitable[None]:
        """Say something with a button under it."""


class Handlers:
    """Answers our commands; each method is called in the chat's thread.

    Parameters
    ----------
    facts
        What is known.
    mouth
        Says the answers.
    answer_timeout_s
        How long the trading loop is waited for.
    """

    def __init__(self, facts: Facts, mouth: Mouth, answer_timeout_s: float) -> None:
        self._facts, self._mouth = facts, mouth
        self._answer_timeout_s = answer_timeout_s
        self._questions = Questions(_CONFIRM_S)

    async def answer(self, command: Command, _update: Update, context: Any) -> None:
        """Answer a command that only reads."""
        answer = await asyncio.to_thread(self._made, command, list(context.args or ()))
        await self._mouth.say(answer.html)
        if answer.photo is not None:
            await self._mouth.show(answer.photo, answer.caption)

    def _made(self, command: Command, words: list[str]) -> Answer:
        try:
            return command.answer(self._facts, words)
        except StoreError:
            return Answer(STARTING if self._facts.engine is None else NO_JOURNAL)
        except Exception:
            logger.exception("/%s could not be answered.", command.name)
            return Answer(UNANSWERED)
        finally:
            Trade.session.remove()

    async def pause(self, update: Update, context: Any) -> None:
        """Ask the trading loop to let no signals through; a reason may be given."""
        await self._ask("pause", update, " ".join(context.args or ()))

    async def resume(self, update: Update, context: Any) -> None:
        """Ask the trading loop to let signals through, once an override is confirmed."""
        words = [word.lower() for word in context.args or ()]
        if words == ["confirm"]:
            await self._ask("resume confirmed", update)
        elif self._facts.is_override():
            await self._offer(update)
        else:
            await self._ask("resume", update)

    async def confirmed(self, update: Update, _context: Any) -> None:
        """Take the confirmation of the admin who was asked, while the question is fresh."""
        user, query = update.effective_user, update.callback_query
        if query is None:
            return
        name = str(query.data).removeprefix(CONFIRM)
        is_taken = self._questions.take(name, user.id if user else None)
        # The button stays where Telegram refuses; it does nothing any more.
        with contextlib.suppress(TelegramError):
            await query.answer("" if is_taken else NO_QUESTION, show_alert=not is_taken)
            if is_taken:
                await query.edit_message_reply_markup(None)
        if is_taken:
            await self._ask("resume confirmed", update)

    async def _offer(self, update: Update) -> None:
        user = update.effective_user
        data = CONFIRM + self._questions.ask(user.id if user else 0)
        await self._mouth.offer(override_question(self._facts), CONFIRM_LABEL, data)

    async def _ask(self, request: AdminRequest, update: Update, reason: str = "") -> None:
        user = update.effective_user
        who = f"Telegram user {user.id if user else 'unknown'}"
        why = one_line(reason, _REASON_LENGTH)
        said = await self._asked(request, f"{who}: {why}" if why else who)
        await self._mouth.say(escape(said))

    async def _asked(self, request: AdminRequest, by: str) -> str:
        engine = self._facts.engine
        if engine is None:
            return STARTING
        answer: Future[str] = engine.ask(request, by)
        if self._facts.host_state == STOPPED:
            return WAITS
        waiting = asyncio.wrap_future(answer)
        try:
            return await asyncio.wait_for(asyncio.shield(waiting), self._answer_timeout_s)
        except TimeoutError:
            return NOT_TAKEN


def override_question(facts: Facts) -> str:
    """Return what an admin is asked before a drawdown's pause is overridden."""
    return "\n".join(
        [
            bold("Resume before the next UTC day?"),
            f"Signals are paused: {of_others(facts.account.pause_reason)}",
            "The rule is to wait: at 00:00 UTC /resume needs no confirmation.",
            "Resuming today is journalled as an override; the loss then counts from now on.",
            f"Press the button within {_CONFIRM_S / 60:.0f} minutes, or send /resume confirm.",
        ]
    )

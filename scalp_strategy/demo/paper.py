"""The paper trading that the demo shows: what the bot prints, from its first signal on."""

import time
from datetime import datetime, timedelta
from typing import Final

from rich.console import Console

from scalp_strategy.demo.bot import Bot, messages
from scalp_strategy.demo.clock import SharedClock
from scalp_strategy.demo.processes import Processes
from scalp_strategy.demo.search import Stretch
from scalp_strategy.demo.viewer import Viewer, outlook, score_table, scores_at
from scalp_strategy.errors import SourceUnavailable
from scalp_strategy.exits import candle_open

_SIGNAL_S: Final = 300.0  # after the close; far more than the bot needs, on a slow machine too
_MESSAGE_S: Final = 1.0
_OUTLOOK_S: Final = 60.0
_CANDLE: Final = timedelta(minutes=15)


class PaperTrading:
    """Watches the bot.

    Parameters
    ----------
    console
        Where its messages are printed.
    processes
        The programs, which must keep running.
    clock
        What they take for the time.
    bot
        The bot, up but not trading yet.
    stretch
        The signal that it will give.
    """

    def __init__(
        self,
        console: Console,
        processes: Processes,
        clock: SharedClock,
        bot: Bot,
        stretch: Stretch,
    ) -> None:
        self._console = console
        self._processes = processes
        self._clock = clock
        self._bot = bot
        self._stretch = stretch
        self._viewer = Viewer(console)
        self._scored: datetime | None = None
        self._looked_at = 0.0

    def watch(self, *, once: bool) -> None:
        """Let the bot trade and print what it does, until Ctrl-C or, once, its first trade.

        Raises
        ------
        SourceUnavailable
            When a program ends or, once, no signal becomes a trade in five minutes.
        """
        began = time.monotonic()
        with self._bot.listen() as stream, self._console.status("Waiting for the bot") as status:
            self._bot.start()
            while True:
                self._processes.check()
                for message in messages(stream, _MESSAGE_S):
                    self._viewer.show(message, self._clock.now())
                self._show_scores()
                trades = self._bot.open_trades()
                self._viewer.catch_up(trades)
                now = self._clock.now()
                text = outlook(trades, now, candle_open(now) + _CANDLE)
                status.update(text)
                if once and self._is_done():
                    self._print(text)
                    self._conclude()
                    return
                self._print_now_and_then(text)
                if once and time.monotonic() - began > _SIGNAL_S:
                    raise self._failure()

    def _show_scores(self) -> None:
        """Print the scores of a candle once all pairs have it."""
        close = candle_open(self._clock.now())
        if self._scored == close:
            return
        if rows := scores_at(self._bot, close - _CANDLE):
            self._console.print(score_table(rows, close))
            self._scored = close

    def _is_done(self) -> bool:
        pair = self._stretch.pair
        return (
            self._scored is not None
            and pair in self._viewer.signalled
            and pair in self._viewer.opened
        )

    def _conclude(self) -> None:
        pair = self._stretch.pair
        others = [each for each in self._viewer.signalled if each != pair]
        beside = f"; other signals of this candle: {', '.join(others)}" if others else ""
        self._print(
            f"Done: the signal of {pair} was shown, for which the outside world was scripted, and "
            f"its paper trade is open{beside}."
        )

    def _print_now_and_then(self, text: str) -> None:
        is_due = time.monotonic() - self._looked_at > _OUTLOOK_S
        if self._viewer.opened and is_due:
            self._looked_at = time.monotonic()
            self._print(text)

    def _failure(self) -> SourceUnavailable:
        pair, seen = self._stretch.pair, self._viewer
        state = "traded nothing"
        if pair in seen.signalled:
            state = f"signalled {pair} and opened no trade of it"
        elif self._scored is None:
            state = "analysed no candle"
        elif seen.signalled:
            state = f"signalled {', '.join(seen.signalled)} alone"
        return SourceUnavailable(
            f"{_SIGNAL_S:.0f} s after the {self._stretch.close:%H:%M} close the bot has {state}, "
            f"{pair} was expected; its log: {self._processes.log('bot')}"
        )

    def _print(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False)

"""The commands that only read: each a function of the facts, in one explicit table."""

from typing import Final

from scalp_strategy.telegram.commands.base import NO_JOURNAL, STARTING, Answer, Command
from scalp_strategy.telegram.commands.bot_state import heat, open_trades, sources, start
from scalp_strategy.telegram.commands.results import drawdown, gate, pnl, stats, winrate
from scalp_strategy.telegram.commands.signals import signals
from scalp_strategy.telegram.commands.why import why
from scalp_strategy.telegram.help_text import help_html

_TABLE: Final = (
    Command("start", "whether it runs, on paper or live, paused or not", start),
    Command("signals", "the last ten signals, with verdicts and outcomes; [count] [sent]", signals),
    Command("why", "the present breakdown of a pair, with a chart: /why SOL", why),
    Command("open", "open trades with stop and targets", open_trades),
    Command("heat", "what is at risk, against the limit", heat),
    Command("pnl", "the result of this UTC day", pnl),
    Command("stats", "all results since the journal began", stats),
    Command("winrate", "the win rate; [7d|30d|all]", winrate),
    Command("drawdown", "the loss of the day, and the deepest ever", drawdown),
    Command("gate", "the go-live gate, on the bot's own results", gate),
    Command("sources", "health of sidecar, sources, journal and delivery", sources),
)


def _help(facts: object, words: list[str]) -> Answer:  # noqa: ARG001 - as every command
    return Answer(help_html((command.name, command.meaning) for command in _TABLE))


COMMANDS: Final[dict[str, Command]] = {command.name: command for command in _TABLE} | {
    "help": Command("help", "what there is", _help)
}

__all__ = ["COMMANDS", "NO_JOURNAL", "STARTING", "Answer", "Command"]

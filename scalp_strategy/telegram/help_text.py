"""The text of /help, and how the host's colliding commands are called (pure)."""

from collections.abc import Iterable
from typing import Final

from scalp_strategy.telegram.html import bold, escape

# Where our names and the host's collide, the host's handler is under this name too: the name, the
# host's method and what it does.
HOST_COMMANDS: Final = (
    ("ft_start", "_start", "start the trader (admins)"),
    ("ft_pause", "_pause", "let no new entries through, by Freqtrade itself (admins)"),
    ("ft_stats", "_stats", "durations, and wins by the reason of the exit"),
    ("ft_help", "_help", "all its commands"),
)
HOST_METHODS: Final = {name: method for name, method, _ in HOST_COMMANDS}
ADMIN_COMMANDS: Final = (
    ("pause", "let no signals through; [reason]"),
    ("resume", "let them through again; asks before it overrides a drawdown of today"),
)


def help_html(commands: Iterable[tuple[str, str]]) -> str:
    """Return the help, with the read-only commands as name and meaning."""
    lines = [bold("Scalp engine"), *_listed(commands), "/help - this", ""]
    lines += [bold("For admins"), *_listed(ADMIN_COMMANDS), ""]
    lines += [
        bold("Freqtrade's own"),
        "All of them work: /status /balance /profit /daily /trades /performance and the others.",
        "Those that change something are for admins: /stop /stopentry /forceexit /reload_config",
        "Where the names collide, Freqtrade's are:",
        *_listed((name, meaning) for name, _, meaning in HOST_COMMANDS),
    ]
    return "\n".join(lines)


def _listed(commands: Iterable[tuple[str, str]]) -> list[str]:
    return [f"/{name} - {escape(meaning)}" for name, meaning in commands]

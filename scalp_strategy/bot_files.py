"""What a bot is called, and where it keeps what survives it."""

from pathlib import Path
from typing import Any, Final

from freqtrade.enums import RunMode

_BACKTEST: Final = "backtest"
_NAME_LENGTH: Final = 40  # the journal's columns hold the whole name with mode and market


def bot_name(config: dict[str, Any]) -> str:
    """Return what tells bots apart that share a folder or a database: name, mode and market.

    Examples
    --------
    >>> bot_name({"bot_name": "scalp", "dry_run": True, "trading_mode": "futures"})
    'scalp-dry-run-futures'
    """
    given = str(config.get("bot_name", "freqtrade"))[:_NAME_LENGTH]
    name = "".join(char if char.isalnum() else "-" for char in given)
    mode = "dry-run" if config.get("dry_run", True) else "live"
    if config.get("runmode") == RunMode.BACKTEST:
        mode = _BACKTEST
    return f"{name}-{mode}-{config.get('trading_mode', 'spot')}"


def state_path(config: dict[str, Any]) -> Path:
    """Return where the account's state of a bot is kept."""
    return _file(config, "account", "json")


def journal_path(config: dict[str, Any]) -> Path:
    """Return where the journal of a bot is kept, unless a database is named."""
    return _file(config, "journal", "sqlite")


def lock_path(config: dict[str, Any]) -> Path:
    """Return the file that one running bot of this name holds."""
    return _file(config, "bot", "lock")


def words_path(config: dict[str, Any]) -> Path:
    """Return where a bot keeps what the sidecar said last."""
    return _file(config, "layers", "json")


def spool_path(config: dict[str, Any]) -> Path:
    """Return where records wait for the journal's database."""
    return _file(config, "journal", "spool")


def _file(config: dict[str, Any], what: str, ending: str) -> Path:
    return Path(config["user_data_dir"]) / "scalp" / f"{what}-{bot_name(config)}.{ending}"

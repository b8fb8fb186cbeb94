"""Checks of Freqtrade's own config: what would quietly break the ladder or the sizing."""

import logging
from collections.abc import Mapping
from typing import Any, Final

from scalp_strategy.errors import ConfigError
from scalp_strategy.settings import Settings

logger = logging.getLogger(__name__)

# Attributes of the strategy that a config file may override, and what the ladder needs.
FIXED: Final[dict[str, Any]] = {
    "timeframe": "15m",
    "minimal_roi": {"0": 100},
    "stoploss": -0.99,
    "use_custom_stoploss": True,
    "trailing_stop": False,
    "use_exit_signal": True,
    "exit_profit_only": False,
    "process_only_new_candles": True,
    "max_entry_position_adjustment": 0,
}
# Names of the specification (its section 1.3) for what the host calls otherwise.
HOST_VARIABLES: Final = {
    "BINANCE_API_KEY": "FREQTRADE__EXCHANGE__KEY",
    "BINANCE_API_SECRET": "FREQTRADE__EXCHANGE__SECRET",
    "TELEGRAM_BOT_TOKEN": "FREQTRADE__TELEGRAM__TOKEN",
    "TELEGRAM_CHANNEL_ID": "FREQTRADE__TELEGRAM__CHAT_ID",
}
_MIN_EXIT_TIMEOUT: Final = 1_440  # minutes: longer than any trade is held
_DEFAULT_PRICE_DISTANCE: Final = 0.02  # the host's default for custom prices


def check_host_config(config: Mapping[str, Any], settings: Settings) -> None:
    """Stop on host settings that would break the engine, warn of those that weaken it.

    Raises
    ------
    ConfigError
        Naming key, value and what is needed, one line for each problem.
    """
    problems = [
        *_price_distance(config, settings),
        *_orders(config),
        *_stake(config),
        *_overridden(config),
    ]
    if problems:
        raise ConfigError("the Freqtrade config does not fit:\n  " + "\n  ".join(problems))
    for warning in _warnings(config, settings):
        logger.warning(warning)


def _price_distance(config: Mapping[str, Any], settings: Settings) -> list[str]:
    ratio = float(config.get("custom_price_max_distance_ratio", _DEFAULT_PRICE_DISTANCE))
    risk = settings.risk
    needed = risk.sl_max_pct / 100.0 * risk.ladder.target_r[-1]
    if ratio >= needed:
        return []
    problem = (
        f"custom_price_max_distance_ratio = {ratio:g}: must be at least {needed:g}, or the host "
        "moves the targets' orders nearer in live trading than in a backtest"
    )
    return [problem]


def _orders(config: Mapping[str, Any]) -> list[str]:
    types = config.get("order_types") or {}
    problems = []
    for key in ("entry", "exit"):
        kind = types.get(key, "limit")
        if kind != "limit":
            problems.append(f"order_types.{key} = {kind!r}: must be 'limit'")
    is_spot = config.get("trading_mode", "spot") == "spot"
    if is_spot and types.get("stoploss_on_exchange"):
        problems.append(
            "order_types.stoploss_on_exchange = True: must be false in spot, where a resting "
            "target blocks the assets and the stop would be cancelled for it"
        )
    if config.get("position_adjustment_enable") is False:
        problems.append(
            "position_adjustment_enable = False: must be true, targets are partial exits"
        )
    return problems


def unread_variables(environment: Mapping[str, str]) -> list[str]:
    """Return a warning for each of the specification's names that only the host can take.

    The host reads its config before any strategy exists, so these cannot be mapped here.
    """
    return [
        f"{name} is set but nobody reads it: set {own} instead."
        for name, own in HOST_VARIABLES.items()
        if environment.get(name) and not environment.get(own)
    ]


def _overridden(config: Mapping[str, Any]) -> list[str]:
    """Name the strategy's attributes that a config file has overridden, as the host allows."""
    return [
        f"{key} = {config[key]!r}: must be {needed!r}, the ladder does every exit"
        for key, needed in FIXED.items()
        if key in config and _plain(config[key]) != _plain(needed)
    ]


def _plain(value: Any) -> Any:
    # The host turns the keys of minimal_roi into numbers.
    return {int(key): part for key, part in value.items()} if isinstance(value, dict) else value


def _stake(config: Mapping[str, Any]) -> list[str]:
    stake = config.get("stake_amount")
    if stake == "unlimited":
        return []
    return [f"stake_amount = {stake!r}: must be 'unlimited', the risk engine sizes every trade"]


def _warnings(config: Mapping[str, Any], settings: Settings) -> list[str]:
    warnings = []
    slots, wanted = config.get("max_open_trades", -1), settings.breakers.max_concurrent_positions
    if 0 <= slots <= wanted:
        warnings.append(
            f"max_open_trades = {slots}: the host may refuse signals before the max-positions "
            f"breaker ({wanted}) decides; set it well above."
        )
    timeout = config.get("unfilledtimeout") or {}
    if timeout.get("exit", 0) < _MIN_EXIT_TIMEOUT or timeout.get("unit") == "seconds":
        warnings.append(
            f"unfilledtimeout.exit = {timeout.get('exit')!r}: a resting target is cancelled and "
            f"placed again; set it to {_MIN_EXIT_TIMEOUT} minutes or more."
        )
    for key in ("entry_pricing", "exit_pricing"):
        side = (config.get(key) or {}).get("price_side", "same")
        if side != "other":
            warnings.append(
                f"{key}.price_side = {side!r}: a backtest fills at once, this rests in the book; "
                "set it to 'other'."
            )
    return warnings


def check_api_server(config: Mapping[str, Any]) -> None:
    """Refuse to serve the bot's API without a password and a key for its tokens.

    Raises
    ------
    ConfigError
        Naming the variable to set.
    """
    server = config.get("api_server") or {}
    if not server.get("enabled"):
        return
    for key in ("password", "jwt_secret_key"):
        if not server.get(key):
            raise ConfigError(
                f"api_server.{key} is empty: set FREQTRADE__API_SERVER__{key.upper()} in the "
                "environment, or api_server.enabled to false"
            )

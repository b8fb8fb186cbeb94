"""How the sidecar is to run: the same config files as the bot's, and the environment."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from external_layers.binance.addresses import Addresses, addresses
from external_layers.binance.messages import MarketKind
from external_layers.chat import ChatAddress, chat_address
from external_layers.loopback import is_loopback
from external_layers.sources.registry import SOURCES
from scalp_strategy.errors import ConfigError
from scalp_strategy.settings import Settings, load_settings

EXCHANGE_VARIABLE: Final = "SCALP_LAYERS_EXCHANGE_URL"
SOURCES_VARIABLE: Final = "SCALP_LAYERS_SOURCES_URL"
TOKEN_VARIABLE: Final = "SCALP_LAYERS_TOKEN"  # noqa: S105 - a variable's name
REDIS_VARIABLE: Final = "REDIS_URL"
_LEAST_TOKEN: Final = 16
_REPLAYED_SOURCES: Final = "/outside"  # where a replay market answers for the outside sources


@dataclass(frozen=True, slots=True)
class RunConfig:
    """Everything the sidecar needs to know before it starts.

    Attributes
    ----------
    kind
        The market that the bot trades.
    data_dir
        Where archive, events, pair list and the scanner's memory lie.
    pairs
        The config's own list: the pair list until the first scan.
    exchange, derivatives
        Addresses of the traded market and of the futures.
    token, redis_url
        Secrets; None = none.
    sources_url
        Where all outside sources are to be found instead of at their own addresses; None = there.
    source_keys
        Keys of the outside sources, by variable; secrets.
    chat
        Where a silent bot is told; None = nowhere.
    """

    settings: Settings
    kind: MarketKind
    data_dir: Path
    pairs: tuple[str, ...]
    exchange: Addresses
    derivatives: Addresses
    token: str | None = field(repr=False)
    redis_url: str | None = field(repr=False)
    sources_url: str | None = None
    source_keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    chat: ChatAddress | None = None


def run_config(
    files: list[Path], environment: Mapping[str, str], data_dir: Path | None = None
) -> RunConfig:
    """Read the bot's config files and the environment as the bot does.

    Parameters
    ----------
    files
        Freqtrade config files, later ones win.
    environment
        The process's variables. Freqtrade's own (``FREQTRADE__...``) are read by its own code.
    data_dir
        Overrides `sidecar.archive_dir`.

    Raises
    ------
    ConfigError
        Naming what is wrong and how to mend it.
    """
    config = _merged(files)
    exchange = _section(config, "exchange")
    settings = load_settings(config, environment)
    kind = _kind(config, exchange)
    token = environment.get(TOKEN_VARIABLE) or None
    _check_access(settings, token)
    base = environment.get(EXCHANGE_VARIABLE) or None
    user_data = Path(config.get("user_data_dir") or "user_data")
    return RunConfig(
        settings=settings,
        kind=kind,
        data_dir=data_dir or user_data / settings.sidecar.archive_dir,
        pairs=_pairs(exchange),
        exchange=addresses(kind, base),
        derivatives=addresses("futures", base),
        token=token,
        redis_url=environment.get(REDIS_VARIABLE) or None,
        sources_url=sources_url(environment),
        source_keys=source_keys(environment),
        chat=chat_address(environment),
    )


def source_keys(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the keys of the outside sources that are set, by variable."""
    names = {name for source in SOURCES for name in source.spec.keys}
    return {name: value for name in sorted(names) if (value := environment.get(name))}


def sources_url(environment: Mapping[str, str]) -> str | None:
    """Return where all outside sources are to be found; None = at their own addresses.

    A replayed market and the real world would contradict each other, so a replay market answers
    for the outside sources too.

    Raises
    ------
    ConfigError
        When it is no URL.
    """
    market = environment.get(EXCHANGE_VARIABLE)
    replayed = f"{market.rstrip('/')}{_REPLAYED_SOURCES}" if market else None
    url = environment.get(SOURCES_VARIABLE) or replayed
    if url and not url.startswith(("http://", "https://")):
        raise ConfigError(f"{SOURCES_VARIABLE} = {url!r}: must begin with http:// or https://")
    return url.rstrip("/") if url else None


def _merged(files: list[Path]) -> dict[str, Any]:
    # The host takes a second to import; only this needs it.
    from freqtrade.configuration.environment_vars import environment_vars_to_dict
    from freqtrade.configuration.load_config import load_from_files
    from freqtrade.exceptions import OperationalException
    from freqtrade.misc import deep_merge_dicts

    for file in files:
        if not file.is_file():
            raise ConfigError(f"--config {file}: no such file")
    # The host tells every file and variable that it reads, as if the bot did.
    for name in ("freqtrade.configuration.load_config", "freqtrade.configuration.environment_vars"):
        logging.getLogger(name).setLevel(logging.WARNING)
    config: dict[str, Any] = {}
    for file in files:
        try:
            config = deep_merge_dicts(load_from_files([str(file)]), config)
        except OperationalException as error:
            raise ConfigError(f"--config {file}: {error}") from error
        except AttributeError as error:
            raise ConfigError(f"--config {file}: must hold one JSON object") from error
    merged: dict[str, Any] = deep_merge_dicts(environment_vars_to_dict(), config)
    return merged


def _section(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = config.get(name) or {}
    if not isinstance(section, dict):
        raise ConfigError(f"{name} = {section!r}: must be an object")
    return section


def _pairs(exchange: Mapping[str, Any]) -> tuple[str, ...]:
    pairs = exchange.get("pair_whitelist") or []
    if not isinstance(pairs, list) or not all(isinstance(pair, str) for pair in pairs):
        raise ConfigError(f"exchange.pair_whitelist = {pairs!r}: must be a list of names")
    return tuple(pairs)


def _kind(config: Mapping[str, Any], exchange: Mapping[str, Any]) -> MarketKind:
    mode = config.get("trading_mode", "spot")
    if mode not in ("spot", "futures"):
        raise ConfigError(f"trading_mode = {mode!r}: must be spot or futures")
    name = exchange.get("name", "binance")
    if name != "binance":
        raise ConfigError(f"exchange.name = {name!r}: the sidecar reads binance only")
    return "spot" if mode == "spot" else "futures"


def _check_access(settings: Settings, token: str | None) -> None:
    if token is not None and len(token) < _LEAST_TOKEN:
        raise ConfigError(f"{TOKEN_VARIABLE}: must have at least {_LEAST_TOKEN} characters")
    if token is not None and not (token.isascii() and token.isprintable()):
        raise ConfigError(f"{TOKEN_VARIABLE}: must be printable ASCII")
    host = settings.sidecar.host
    if token is None and not is_loopback(host):
        raise ConfigError(
            f"sidecar.host = {host!r} can be reached from other machines: set {TOKEN_VARIABLE}, "
            "or listen on 127.0.0.1"
        )

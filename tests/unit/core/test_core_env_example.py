"""What `.env.example` tells a trader to set must be what the host and the engine take."""

import json
import re
from pathlib import Path

import pytest
from freqtrade.configuration.config_validation import validate_config_schema
from freqtrade.configuration.environment_vars import _flat_vars_to_nested_dict
from freqtrade.enums import RunMode
from freqtrade.misc import deep_merge_dicts

from scalp_strategy.errors import ConfigError
from scalp_strategy.host_config import FIXED, check_api_server, check_host_config
from scalp_strategy.settings import PLAIN_VARIABLES, load_settings

ROOT = Path(__file__).parents[3]
LINES = re.findall(r"^#?([A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE)
FILLED = {name: value or f"a-secret-of-{'x' * 32}" for name, value in LINES}


def merged(*names: str) -> dict:
    config: dict = {}
    for name in names:
        overlay = json.loads((ROOT / "config" / f"{name}.json").read_text())
        config = deep_merge_dicts(overlay, config)
    environment = _flat_vars_to_nested_dict(
        {name: value for name, value in FILLED.items() if name.startswith("FREQTRADE__")},
        "FREQTRADE__",
    )
    return deep_merge_dicts(environment, config) | {"user_data_dir": ROOT / "user_data"}


def test_nothing_is_set_by_copying_it() -> None:
    text = (ROOT / ".env.example").read_text()
    assert not re.findall(r"^[^#\n]", text, re.MULTILINE)


def test_every_plain_name_is_there() -> None:
    assert set(PLAIN_VARIABLES) <= set(FILLED)


@pytest.mark.parametrize("market", ["futures", "spot"])
@pytest.mark.parametrize(
    ("mode", "extra"),
    [(RunMode.BACKTEST, ()), (RunMode.DRY_RUN, ("dry-run",)), (RunMode.LIVE, ("live",))],
)
def test_the_shipped_configs_with_a_filled_env(
    market: str, mode: RunMode, extra: tuple[str, ...]
) -> None:
    config = merged("base", market, *extra) | {"runmode": mode}
    # What the host takes from the strategy before it looks.
    validate_config_schema(config | {"stoploss": FIXED["stoploss"], "minimal_roi": {"0": 100}})
    settings = load_settings(config, FILLED)
    check_host_config(config, settings)
    check_api_server(config)
    assert config["api_server"]["listen_ip_address"] == "127.0.0.1"


def test_a_stop_on_the_exchange_is_for_futures() -> None:
    check_host_config(merged("base", "futures", "live", "live-futures"), load_settings())
    with pytest.raises(ConfigError, match="stoploss_on_exchange"):
        check_host_config(merged("base", "spot", "live", "live-futures"), load_settings())

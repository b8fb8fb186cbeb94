import json
import logging
from pathlib import Path

import pytest

from scalp_strategy.errors import ConfigError
from scalp_strategy.host_config import HOST_VARIABLES, check_host_config, unread_variables
from scalp_strategy.settings import Settings, with_overrides

CONFIGS = Path(__file__).parents[3] / "config"
GOOD = {
    "stake_amount": "unlimited",
    "custom_price_max_distance_ratio": 0.99,
    "max_open_trades": 50,
    "position_adjustment_enable": True,
    "unfilledtimeout": {"entry": 15, "exit": 100_000, "unit": "minutes"},
    "entry_pricing": {"price_side": "other"},
    "exit_pricing": {"price_side": "other"},
}


def refusal(**changes) -> str:
    with pytest.raises(ConfigError) as caught:
        check_host_config(GOOD | changes, Settings())
    return str(caught.value)


def test_the_shipped_config_is_accepted(caplog):
    config = json.loads((CONFIGS / "base.json").read_text())
    with caplog.at_level(logging.WARNING):
        check_host_config(config, Settings())
    assert not caplog.records


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"stake_amount": 100}, ("stake_amount = 100", "'unlimited'")),
        ({"stake_amount": None}, ("stake_amount = None", "'unlimited'")),
        ({"order_types": {"entry": "market", "exit": "limit"}}, ("order_types.entry = 'market'",)),
        ({"order_types": {"entry": "limit", "exit": "market"}}, ("order_types.exit = 'market'",)),
        ({"position_adjustment_enable": False}, ("position_adjustment_enable = False",)),
        (
            {"custom_price_max_distance_ratio": 0.119},
            ("custom_price_max_distance_ratio = 0.119", "0.12"),  # 3 % stop * 4 R
        ),
        # what the host lets a config file override of a strategy's own attributes
        ({"use_custom_stoploss": False}, ("use_custom_stoploss",)),
        ({"use_exit_signal": False}, ("use_exit_signal",)),
        ({"trailing_stop": True}, ("trailing_stop",)),
        ({"minimal_roi": {"0": 0.01}}, ("minimal_roi",)),
        ({"stoploss": -0.05}, ("stoploss",)),
        ({"timeframe": "5m"}, ("timeframe",)),
        ({"exit_profit_only": True}, ("exit_profit_only",)),
    ],
)
def test_what_would_break_the_ladder_is_refused_and_named(changes, said):
    message = refusal(**changes)
    for part in said:
        assert part in message


def test_the_host_s_default_price_distance_is_too_small():
    config = {key: value for key, value in GOOD.items() if "distance" not in key}
    with pytest.raises(ConfigError, match=r"custom_price_max_distance_ratio = 0\.02"):
        check_host_config(config, Settings())


def test_the_distance_needed_follows_the_risk_settings():
    nearer = with_overrides(Settings(), {"risk.sl_max_pct": 1.0})
    check_host_config(GOOD | {"custom_price_max_distance_ratio": 0.04}, nearer)


def test_every_problem_is_told_at_once():
    message = refusal(stake_amount=5, position_adjustment_enable=False)
    assert "stake_amount" in message
    assert "position_adjustment_enable" in message


@pytest.mark.parametrize(
    ("changes", "warned"),
    [
        ({"max_open_trades": 5}, True),
        ({"max_open_trades": 6}, False),
        ({"max_open_trades": -1}, False),
        ({"unfilledtimeout": {"entry": 15, "exit": 10}}, True),
        ({"unfilledtimeout": {"entry": 15, "exit": 100_000, "unit": "seconds"}}, True),
        ({"unfilledtimeout": {}}, True),
        ({"entry_pricing": {"price_side": "same"}}, True),
        ({"exit_pricing": {}}, True),
    ],
)
def test_what_weakens_the_engine_is_warned_of(changes, warned, caplog):
    with caplog.at_level(logging.WARNING):
        check_host_config(GOOD | changes, Settings())
    assert bool(caplog.records) is warned


@pytest.mark.parametrize("name", HOST_VARIABLES)
def test_a_name_that_only_the_host_could_take_is_told_without_its_value(name):
    (warning,) = unread_variables({name: "a-secret", "PATH": "/bin"})
    assert name in warning
    assert HOST_VARIABLES[name] in warning
    assert "a-secret" not in warning
    assert unread_variables({name: "a-secret", HOST_VARIABLES[name]: "a-secret"}) == []
    assert unread_variables({name: ""}) == []

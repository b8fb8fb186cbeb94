"""The engine around the desk: epochs, clocks, requests, announcements that fail."""

from datetime import timedelta
from types import SimpleNamespace

import pytest
from freqtrade.enums import RunMode

from scalp_strategy.bot_files import state_path
from scalp_strategy.engine import Engine
from scalp_strategy.errors import ConfigError
from scalp_strategy.host_config import check_api_server, check_host_config
from scalp_strategy.settings import Settings
from scalp_strategy.signals import Status
from scalp_strategy.state_file import FileStore
from scalp_strategy.strategy import ScalpStrategy
from tests.support.host_stub import CLOSE, PAIR, StubHost, desk_of, signal_pair

pytestmark = pytest.mark.usefixtures("trades_in_memory")


def engine(tmp_path, runmode: RunMode) -> Engine:
    strategy = SimpleNamespace(
        dp=SimpleNamespace(runmode=runmode),
        wallets=SimpleNamespace(
            get_total_stake_amount=lambda: 9_000.0, get_available_stake_amount=lambda: 9_000.0
        ),
        config={"user_data_dir": tmp_path, "dry_run": True, "trading_mode": "futures"},
    )
    return Engine(strategy, Settings())


@pytest.mark.parametrize(("runmode", "kept"), [(RunMode.DRY_RUN, True), (RunMode.BACKTEST, False)])
def test_only_a_backtest_begins_anew_when_time_goes_back(tmp_path, runmode, kept):
    """Live, a clock that is set back must not forget a pause."""
    one = engine(tmp_path, runmode)
    one.account.mark(CLOSE, 10_000, 10_000, ())
    one.begin_loop(CLOSE)
    one.account.mark(CLOSE, 9_000, 9_000, ())
    assert one.account.state.is_paused
    one.begin_loop(CLOSE - timedelta(seconds=1))
    assert one.account.state.is_paused is kept


@pytest.mark.parametrize(
    ("request_", "is_paused"),
    [("resume", True), ("resume confirmed", False), ("pause", True)],
)
def test_an_admin_s_request(tmp_path, request_, is_paused):
    one = engine(tmp_path, RunMode.DRY_RUN)
    one.account.mark(CLOSE, 10_000, 10_000, ())
    one.account.mark(CLOSE, 9_000, 9_000, ())
    path = state_path({"user_data_dir": tmp_path, "dry_run": True, "trading_mode": "futures"})
    FileStore(path).request(request_)
    one.begin_loop(CLOSE)
    assert one.account.state.is_paused is is_paused


def test_an_admin_s_pause(tmp_path):
    one = engine(tmp_path, RunMode.DRY_RUN)
    one.account.mark(CLOSE, 10_000, 10_000, ())
    path = state_path({"user_data_dir": tmp_path, "dry_run": True, "trading_mode": "futures"})
    FileStore(path).request("pause")
    one.begin_loop(CLOSE)
    assert one.account.state.is_paused


def test_a_signal_that_was_traded_before_a_restart_is_not_approved_again():
    desk = desk_of(host=StubHost(traded={PAIR}))
    desk.offer(signal_pair(PAIR))
    (decision,) = desk.decide(CLOSE, [PAIR])
    assert decision.status is Status.REJECTED
    assert "restart" in decision.reasons[0]


def test_a_failed_announcement_leaves_the_others(tmp_path, caplog):
    """An approved entry stands whether it could be announced or not."""
    one = engine(tmp_path, RunMode.DRY_RUN)
    one.desk = desk_of()
    one.live.open(one, CLOSE)
    one._message = lambda decision: None
    for pair in (PAIR, "ETH/USDT:USDT"):
        one.desk.offer(signal_pair(pair))
    decisions = one.desk.decide(CLOSE, [PAIR, "ETH/USDT:USDT"])
    one.live.decided(decisions, one._message, CLOSE)
    told = []
    one.tell(CLOSE, told.append)
    assert told == []
    assert all(decision.is_approved for decision in decisions)


SPOT = {"stake_amount": "unlimited", "custom_price_max_distance_ratio": 0.99}


def test_a_stop_on_the_exchange_is_refused_in_spot():
    types = {"entry": "limit", "exit": "limit", "stoploss_on_exchange": True}
    with pytest.raises(ConfigError, match="stoploss_on_exchange"):
        check_host_config({**SPOT, "trading_mode": "spot", "order_types": types}, Settings())
    check_host_config({**SPOT, "trading_mode": "futures", "order_types": types}, Settings())


@pytest.mark.parametrize("missing", ["password", "jwt_secret_key"])
def test_the_api_is_not_served_without_secrets(missing):
    server = {"enabled": True, "password": "p", "jwt_secret_key": "k" * 32}
    check_api_server({"api_server": server})
    check_api_server({"api_server": {"enabled": False}})
    with pytest.raises(ConfigError, match=missing.upper()):
        check_api_server({"api_server": {**server, missing: ""}})


def test_the_version_changes_with_the_settings():
    one, two = (
        ScalpStrategy({"stake_currency": "USDT", "scalp": {"signals_only": value}})
        for value in (False, True)
    )
    assert one.version() != two.version()
    assert one.version().split()[0] == two.version().split()[0]

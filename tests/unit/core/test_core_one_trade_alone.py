"""One trade harms itself alone; another strategy's is left alone; rules of the exchange change."""

import logging
from datetime import timedelta
from types import SimpleNamespace

import pytest
from freqtrade.enums import RunMode
from freqtrade.persistence import LocalTrade

from scalp_strategy.apart import Apart
from scalp_strategy.exits import PLAN_KEY, ExitDesk, carried_rules, exited
from scalp_strategy.host import FreqtradeHost
from scalp_strategy.own_trades import OwnTrades
from scalp_strategy.risk import Market
from tests.support.host_stub import (
    CLOSE,
    MARKET,
    PAIR,
    desk_of,
    exit_leg,
    opened_trade,
    signal_pair,
)

pytestmark = pytest.mark.usefixtures("trades_in_memory")

OTHER = "GONE/USDT:USDT"
NOW = CLOSE + timedelta(minutes=5)


# ---- the boundary ----


def test_what_fails_is_logged_once_and_told_until_it_works_again(caplog) -> None:
    apart, works = Apart(), False

    def do() -> int:
        if not works:
            raise KeyError("GONE")
        return 7

    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert apart.run("trade 3", "its stop", do, lambda: 0) == 0
    assert len(caplog.records) == 1
    assert apart.problems() == {"trade 3": "its stop: KeyError('GONE')"}
    works = True
    assert apart.run("trade 3", "its stop", do, lambda: 0) == 7
    assert apart.problems() == {"trade 3": None}
    assert apart.problems() == {}


def test_one_subject_is_well_when_all_that_failed_works() -> None:
    apart = Apart()
    for what in ("its stop", "its value"):
        apart.run("trade 3", what, lambda: 1 / 0, lambda: 0)
    apart.run("trade 3", "its stop", lambda: 1, lambda: 0)
    assert apart.problems() == {"trade 3": "its value: ZeroDivisionError('division by zero')"}


# ---- a pair that the exchange lists no more ----


def unlisted(pair: str, price: float) -> Market:
    if pair == OTHER:
        raise KeyError(pair)
    return MARKET


def test_the_exits_of_an_unlisted_pair_go_on_by_what_the_trade_carries() -> None:
    listed = opened_trade()
    trade = opened_trade(pair=OTHER)
    trade.set_custom_data(PLAN_KEY, ExitDesk(offered(), unlisted).plan(listed).to_json())
    exits = ExitDesk(desk_of(), unlisted)
    assert exits.stop(trade, NOW) == exits.stop(listed, NOW)
    assert exits.exit_order(trade, 100.0, NOW)[1] == "tp1"
    exit_leg(trade, "tp1", exits.legs(trade, exits.plan(trade))[0].amount, 102.25)
    assert exits.stop(trade, NOW) == pytest.approx(100.0)
    assert exits.exit_order(trade, 100.0, NOW)[1] == "tp2"


def offered(pair: str = PAIR):
    desk = desk_of()
    desk.offer(signal_pair(pair))
    return desk


def test_the_rules_a_trade_carries() -> None:
    trade = opened_trade()
    rules = carried_rules(trade)
    assert (rules.amount_step, rules.price_tick) == (MARKET.amount_step, MARKET.price_tick)


# ---- valuing ----


def host_of(stop) -> FreqtradeHost:
    wallets = SimpleNamespace(
        get_total_stake_amount=lambda: 10_000.0, get_available_stake_amount=lambda: 9_000.0
    )
    dp = SimpleNamespace(runmode=RunMode.DRY_RUN)
    return FreqtradeHost(SimpleNamespace(dp=dp, wallets=wallets, config={}), stop)


def held(**options) -> LocalTrade:
    """A trade that the host knows as open."""
    trade = opened_trade(**options)
    LocalTrade.add_bt_trade(trade)
    return trade


@pytest.fixture(autouse=True)
def _no_trades_of_others():
    LocalTrade.reset_trades()
    yield
    LocalTrade.reset_trades()


def broken(trade: LocalTrade, **fields) -> LocalTrade:
    for name, value in fields.items():
        setattr(trade, name, value)
    return trade


@pytest.mark.parametrize(
    "fields",
    [
        {"open_rate": None},
        {"open_rate": float("nan")},
        {"amount": None},
        {"amount": float("nan")},
        {"stop_loss": float("nan")},
        {"orders": None},
        {"stop_loss": None},
        {"open_date": None},
    ],
)
def test_a_trade_that_cannot_be_valued_keeps_its_slot_and_harms_no_other(fields) -> None:
    good, bad = held(), held(pair=OTHER)
    exits = ExitDesk(offered(), unlisted)
    host = host_of(exits.stop)
    alone = host.holdings(lambda pair, now: 101.0, NOW).positions
    broken(bad, **fields)
    positions = host.holdings(lambda pair, now: 101.0, NOW).positions
    assert {one.pair for one in positions} == {PAIR, OTHER}
    assert [one for one in positions if one.pair == good.pair] == [
        one for one in alone if one.pair == good.pair
    ]
    for one in positions:
        for number in (one.amount, one.entry_price, one.stop_price, one.mark_price):
            assert number >= 0.0


def test_a_price_that_raises_harms_its_trade_alone() -> None:
    def price(pair: str, now) -> float:
        if pair == OTHER:
            raise ValueError("no candles")
        return 101.0

    held()
    held(pair=OTHER)
    exits = ExitDesk(offered(), unlisted)
    found = {one.pair: one for one in host_of(exits.stop).holdings(price, NOW).positions}
    assert found[OTHER].mark_price == 100.0
    assert found[PAIR].mark_price == 100.0  # no candle has closed after its entry


# ---- other strategies ----


@pytest.mark.parametrize(
    ("strategy", "has_plan", "is_own"),
    [
        ("ScalpStrategy", False, True),
        ("MyScalp", False, True),  # the running one's name
        (None, False, True),
        ("", False, True),
        ("Grid", False, False),
        ("OldScalpName", True, True),
    ],
)
def test_whose_trade_it_is(strategy, has_plan, is_own) -> None:
    trade = broken(opened_trade(), strategy=strategy)
    if has_plan:
        trade.set_custom_data(PLAN_KEY, "{}")
    assert OwnTrades("MyScalp").is_own(trade) is is_own


def test_an_owner_that_cannot_be_read_goes_by_the_name() -> None:
    trade = broken(opened_trade(), strategy="Grid")
    trade.get_custom_data = lambda key: 1 / 0
    apart = Apart()
    assert OwnTrades(apart=apart).is_own(trade) is False
    assert list(apart.problems().values()) == ["its owner: ZeroDivisionError('division by zero')"]


def test_the_risk_of_another_strategy_s_trade_is_not_ours() -> None:
    held()
    host = host_of(lambda trade, now: None)
    positions = host.holdings(lambda pair, now: 101.0, NOW).positions
    assert positions
    assert all(one.stop_price == one.mark_price for one in positions)


# ---- rules that change while a trade is open ----


class Exchange:
    """An exchange whose market list is loaded anew, as the host does every hour."""

    precisionMode = 4  # noqa: N815 - ccxt's name
    precision_mode_price = 4

    def __init__(self, step: float) -> None:
        self.load(step)

    def load(self, step: float) -> None:
        limits = {"cost": {"min": 5.0}, "amount": {"min": step}}
        self.markets = {PAIR: {"limits": limits}}
        self.step = step

    def get_contract_size(self, pair: str) -> float:
        return 1.0

    def get_precision_amount(self, pair: str) -> float:
        return self.step

    def get_precision_price(self, pair: str) -> float:
        return 0.01


def test_the_rules_are_those_of_the_host_s_present_market_list() -> None:
    exchange = Exchange(1.0)
    dp = SimpleNamespace(runmode=RunMode.DRY_RUN, _exchange=exchange)
    host = FreqtradeHost(SimpleNamespace(dp=dp, config={}), lambda trade, now: 0.0)
    assert host.market(PAIR, 100.0).step == 1.0
    assert host.market(PAIR, 100.0).step == 1.0
    exchange.load(10.0)
    assert host.market(PAIR, 100.0).step == 10.0


@pytest.mark.parametrize("side", ["long", "short"])
@pytest.mark.parametrize(("before", "after"), [(1.0, 10.0), (10.0, 1.0), (1.0, 7.0), (0.5, 20.0)])
@pytest.mark.parametrize("filled_before", [0, 1, 2])
def test_a_step_that_changes_leaves_no_leg_stuck(side, before, after, filled_before) -> None:
    """The host floors with the step of now; every target is placed, the stop moves with each."""
    step = [before]

    def rules(pair: str, price: float) -> Market:
        return Market(True, 5.0, step[0], 0.01, 50.0)

    desk = desk_of()
    desk.offer(signal_pair(PAIR, side=side))
    exits = ExitDesk(desk, rules)
    trade = opened_trade(side, amount=130.0, market=rules(PAIR, 100.0))
    sign = 1 if side == "long" else -1
    tags = []
    for number in range(6):
        if number == filled_before:
            step[0] = after
        stake, tag = exits.exit_order(trade, 100.0, NOW)
        if stake is None:
            break
        amount = -stake / trade.stake_amount * trade.amount
        floored = int(amount / step[0] + 1e-9) * step[0]
        if floored <= 0:
            break
        stop_before = exits.stop(trade, NOW)
        exit_leg(trade, tag, floored, exits.target(trade, tag))
        tags.append(tag)
        if tag == "tp1" and trade.amount > 0:
            assert sign * (exits.stop(trade, NOW) - 100.0) >= 0.0
            assert sign * (exits.stop(trade, NOW) - stop_before) > 0.0
    assert tags == ["tp1", "tp2", "tp3"]
    out = sum(exited(trade, tag) for tag in tags)
    assert 130.0 - out < step[0]

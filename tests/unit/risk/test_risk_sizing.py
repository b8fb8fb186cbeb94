import math
from dataclasses import replace

import pytest

from scalp_strategy.errors import ContractViolation
from scalp_strategy.risk import (
    AccountView,
    Market,
    PositionSize,
    Rejection,
    liquidation_price,
    position_size,
    trade_plan,
)
from scalp_strategy.setting_groups.risk import RiskSettings, SizingSettings

SETTINGS = RiskSettings()
ACCOUNT = AccountView(10_000.0, 10_000.0, 0.0, 0.0, 0)
MARKET = Market(True, 5.0, 0.001, 0.01, max_leverage=125.0)
PLAN = trade_plan("long", 100.0, 1.6, SETTINGS)


def size_of(**given) -> PositionSize | Rejection:
    values = {
        "plan": PLAN,
        "score": 90.0,
        "account": ACCOUNT,
        "market": MARKET,
        "settings": SETTINGS,
        "max_positions": 5,
    }
    return position_size(**values | given)


@pytest.mark.parametrize("field", ["equity", "free_balance", "open_risk", "open_exposure"])
def test_an_unknown_account_is_no_trade(field):
    rejection = size_of(account=replace(ACCOUNT, **{field: math.nan}))
    assert isinstance(rejection, Rejection)
    assert rejection.code == "unknown_account"


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"account": replace(ACCOUNT, equity=0.0)}, "unknown_account"),
        ({"score": math.nan}, "score"),
        ({"score": 64.99}, "score"),
        ({"size_factor": 0.0}, "size_factor"),
        ({"size_factor": math.nan}, "size_factor"),
        ({"account": replace(ACCOUNT, free_balance=-1.0)}, "free_balance"),
        ({"account": replace(ACCOUNT, open_risk=700.0)}, "heat"),
        ({"market": replace(MARKET, amount_step=100.0)}, "minimum"),
        ({"market": replace(MARKET, min_notional=5_000.0)}, "minimum"),
    ],
)
def test_rejections(given, code):
    rejection = size_of(**given)
    assert isinstance(rejection, Rejection)
    assert rejection.code == code


@pytest.mark.parametrize("given", [{"size_factor": 1.1}, {"max_positions": 0}])
def test_impossible_arguments(given):
    with pytest.raises(ContractViolation):
        size_of(**given)


def test_size_factor_scales_the_risk():
    size = size_of(size_factor=SETTINGS.choppy_size_factor)
    assert size.risk_quote == pytest.approx(75.0)


def test_negative_open_risk_gives_no_extra_room():
    settings = RiskSettings(sizing=SizingSettings(risk_per_trade_pct=3.0, max_heat_pct=2.0))
    # 300 wanted; stops in profit count as no risk: 200 of heat, not 500
    size = size_of(account=replace(ACCOUNT, open_risk=-300.0), settings=settings)
    assert size.risk_quote == pytest.approx(200.0, abs=0.0024)


def test_leverage_steps():
    # 3.125x needed
    half = RiskSettings(sizing=SizingSettings(leverage_step=0.5))
    assert size_of(settings=half).leverage == 3.5
    five = RiskSettings(sizing=SizingSettings(leverage_step=5.0))
    assert size_of(settings=five).leverage == 5.0
    assert size_of(score=65.0, settings=half).leverage == 2.0  # 1.5625x


def test_an_unleveraged_future_names_the_margin():
    size = size_of(market=replace(MARKET, max_leverage=1.0))
    assert (size.leverage, size.amount, size.limited_by) == (1.0, 20.0, "margin per position")


def test_leverage_is_the_least_after_the_amount_step():
    # 4,050 wanted would need 3x of 2,000, but steps of 10 units leave 4,000, which 2x carries
    size = size_of(size_factor=0.648, market=replace(MARKET, amount_step=10.0))
    assert (size.notional, size.leverage, size.stake) == (4_000.0, 2.0, 2_000.0)


def test_five_positions_fit_the_account():
    free, stakes = 10_000.0, []
    for _ in range(5):
        size = size_of(account=replace(ACCOUNT, free_balance=free), score=65.0)
        stakes.append(size.stake)
        free -= size.stake
    assert sum(stakes) <= 10_000.0


def test_contract_size_scales_the_step():
    size = size_of(market=replace(MARKET, amount_step=1.0, contract_size=0.5))
    assert size.amount == 62.5


@pytest.mark.parametrize(("side", "price"), [("long", 80.5), ("short", 119.5)])
def test_liquidation_price(side, price):
    assert liquidation_price(side, 100.0, 5.0, 0.005) == pytest.approx(price)

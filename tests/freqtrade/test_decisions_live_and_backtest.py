"""One strategy, two ways of running it, the same decisions.

In a backtest the host hands over whole frames once and then lets time pass; live they grow candle
by candle and only the last row is new. The strategy, its engine and the host's data provider are
the real ones; balance, exchange rules, clock and candles are the test's.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import pytest
from freqtrade.data.dataprovider import DataProvider
from freqtrade.enums import CandleType, RunMode
from freqtrade.resolvers import StrategyResolver
from pandas import DataFrame, Timedelta, Timestamp

from scalp_strategy.signals import Decision, Status
from tests.support.candles import market
from tests.support.freqtrade import ROOT, write_candles
from tests.support.host_stub import MARKET, without_database
from tests.support.sections import CHART_WEIGHTS

PAIRS: Final = ("SOL/USDT:USDT", "ETH/USDT:USDT", "BNB/USDT:USDT")
HOURS: Final = 24 * 10
DECIDED_CANDLES: Final = 110
CANDLE: Final = timedelta(minutes=15)
MINUTES: Final = {"15m": 15, "5m": 5, "1m": 1}
CAPITAL: Final = 10_000.0
# Layers that say nothing weigh less, so that candidates are frequent enough to compete.
SECTION: Final = {
    "confluence": {"weights": CHART_WEIGHTS},
    "entry": {"min_volume_ratio": 0.8},
    "risk": {"sizing": {"max_heat_pct": 2.0}},
}


@dataclass
class StubExchange:
    """The exchange's rules, and in live trading the candles known by now."""

    known: dict[tuple[str, str], DataFrame] = field(default_factory=dict)
    precisionMode: int = 4  # noqa: N815 - ccxt's name
    precision_mode_price: int = 4

    @property
    def markets(self) -> dict[str, Any]:
        limits = {"cost": {"min": MARKET.min_notional}, "amount": {"min": MARKET.amount_step}}
        return {pair: {"limits": limits} for pair in PAIRS}

    def get_contract_size(self, pair: str) -> float:
        return MARKET.contract_size

    def get_precision_amount(self, pair: str) -> float:
        return MARKET.amount_step

    def get_precision_price(self, pair: str) -> float:
        return MARKET.price_tick

    def get_max_leverage(self, pair: str, stake: float) -> float:
        return MARKET.max_leverage

    def get_maintenance_ratio_and_amt(self, pair: str, notional: float) -> tuple[float, float]:
        return MARKET.maintenance_margin_ratio, 0.0

    def klines(self, key: tuple[str, str, CandleType], *, copy: bool = True) -> DataFrame:
        return self.known.get(key[:2], DataFrame()).copy()


class StubWallets:
    """A balance that never changes."""

    def get_total_stake_amount(self) -> float:
        return CAPITAL

    def get_available_stake_amount(self) -> float:
        return CAPITAL


@pytest.fixture(scope="module")
def candles() -> dict[tuple[str, str], DataFrame]:
    frames = {}
    for seed, pair in enumerate(PAIRS):
        of_pair = market(HOURS, seed=seed)
        for timeframe, minutes in MINUTES.items():
            frames[pair, timeframe] = of_pair[minutes]
    return frames


@pytest.fixture(scope="module")
def datadir(candles, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for (pair, timeframe), frame in candles.items():
        write_candles(folder, pair, timeframe, frame, CandleType.FUTURES)
    return folder


@pytest.fixture(scope="module")
def closes(candles) -> list[datetime]:
    """The instants decided at: the closes of the last candles."""
    opens = candles[PAIRS[0], "15m"]["date"].iloc[-DECIDED_CANDLES:]
    return [opened.to_pydatetime() + CANDLE for opened in opens]


@pytest.fixture(autouse=True)
def _no_database() -> Iterator[None]:
    with without_database():
        yield


def started(run_mode: RunMode, datadir: Path, user_data: Path, exchange: StubExchange) -> Any:
    """Return the strategy as the host has it after its start."""
    config = {
        "strategy": "ScalpStrategy",
        "strategy_path": str(ROOT / "user_data" / "strategies"),
        "user_data_dir": user_data,
        "datadir": datadir,
        "dataformat_ohlcv": "feather",
        "trading_mode": "futures",
        "candle_type_def": CandleType.FUTURES,
        "stake_currency": "USDT",
        "stake_amount": "unlimited",
        "max_open_trades": 50,
        "custom_price_max_distance_ratio": 0.99,
        "dry_run": True,
        "runmode": run_mode,
        "scalp": SECTION,
    }
    strategy = StrategyResolver.load_strategy(config)
    pairlists = SimpleNamespace(whitelist=list(PAIRS))
    strategy.dp = DataProvider(config, exchange, pairlists)
    strategy.wallets = StubWallets()
    strategy.ft_bot_start()
    return strategy


@pytest.fixture
def backtest(datadir, tmp_path, candles) -> Any:
    """The strategy with whole frames analysed, before the first candle is decided."""
    strategy = started(RunMode.BACKTEST, datadir, tmp_path, StubExchange())
    analyse_whole(strategy, candles)
    return strategy


def analyse_whole(strategy: Any, candles: dict[tuple[str, str], DataFrame]) -> None:
    whole = {pair: candles[pair, "15m"].copy() for pair in PAIRS}
    for pair, frame in strategy.advise_all_indicators(whole).items():
        strategy.ft_advise_signals(frame, {"pair": pair})


def passed(strategy: Any, closes: list[datetime]) -> list[Decision]:
    """Let a backtest's time pass and return its decisions."""
    for now in closes:
        strategy.bot_loop_start(current_time=now)
    return list(strategy.engine.log)


def clock_at(now: datetime) -> type[datetime]:
    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return now

    return Clock


def lived(
    strategy: Any,
    exchange: StubExchange,
    candles: dict[tuple[str, str], DataFrame],
    closes: list[datetime],
    monkeypatch: pytest.MonkeyPatch,
) -> list[Decision]:
    """Let the candles come one by one, a second before the loop that sees them."""
    for close in closes:
        for (pair, timeframe), frame in candles.items():
            opened_before = Timestamp(close) - Timedelta(minutes=MINUTES[timeframe])
            exchange.known[pair, timeframe] = frame[frame["date"] <= opened_before]
        now = close + timedelta(seconds=1)
        monkeypatch.setattr("scalp_strategy.strategy.datetime", clock_at(now))
        strategy.bot_loop_start(current_time=now)
        strategy.analyze(list(PAIRS))
    # What reaches no tier is logged while trading only.
    return [one for one in strategy.engine.log if one.status is not Status.DISCARDED]


def test_live_and_backtest_decide_alike(backtest, datadir, candles, closes, tmp_path, monkeypatch):
    exchange = StubExchange()
    live = started(RunMode.DRY_RUN, datadir, tmp_path, exchange)
    decided_live = lived(live, exchange, candles, closes, monkeypatch)
    decided = passed(backtest, closes)
    assert decided_live == decided
    # The comparison means something only where decisions differ among themselves.
    seen = Counter(decision.status for decision in decided)
    assert seen[Status.NOT_TAKEN] + seen[Status.APPROVED] >= 5
    assert seen[Status.REJECTED] >= 5
    assert {decision.candidate.side for decision in decided} == {"long", "short"}
    assert len({decision.size.amount for decision in decided if decision.size}) > 5


def test_time_that_goes_back_begins_anew(backtest, candles, closes):
    first = passed(backtest, closes)
    analyse_whole(backtest, candles)
    again = passed(backtest, closes)
    assert again == first
    assert first


def test_a_shorter_epoch_after_a_longer_one_keeps_nothing_of_it(backtest, candles, closes):
    whole = passed(backtest, closes)
    analyse_whole(backtest, candles)
    part = passed(backtest, closes[: len(closes) // 2])
    middle = closes[len(closes) // 2 - 1]
    expected = [one for one in whole if one.candidate.close_time <= middle]
    assert [one.candidate for one in part] == [one.candidate for one in expected]


def test_the_decision_does_not_depend_on_where_time_starts(backtest, candles, closes):
    whole = passed(backtest, closes)
    analyse_whole(backtest, candles)
    later = closes[DECIDED_CANDLES // 3 :]
    tail = passed(backtest, later)
    assert tail == [one for one in whole if one.candidate.close_time >= later[0]]

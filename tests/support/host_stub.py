"""The host as the core's tests see it.

Trades and orders are Freqtrade's own (`LocalTrade`, `Order`), opened, filled and cancelled the way
its backtester does it. Only wallets and exchange rules are stubs. Use `without_database` around
everything that touches a trade.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Final

import numpy as np
import pandas as pd
from freqtrade.enums import TradingMode
from freqtrade.exchange.exchange_utils import amount_to_contract_precision
from freqtrade.persistence import LocalTrade, Order
from freqtrade.persistence.custom_data import CustomDataWrapper
from freqtrade.persistence.usedb_context import FtNoDBContext
from freqtrade.util import FtPrecise

from scalp_strategy.account import Account, MemoryStore, Position
from scalp_strategy.analysed import AnalysedPair
from scalp_strategy.breakers import NoTrades, TradeHistory
from scalp_strategy.contract import TIER_MEDIUM
from scalp_strategy.decision import DecisionDesk, Holdings, HourCloses
from scalp_strategy.exits import TICK_SIZE_MODE
from scalp_strategy.journal import MemoryLog
from scalp_strategy.risk import Market
from scalp_strategy.settings import Settings

PAIR: Final = "SOL/USDT:USDT"
CANDLE: Final = timedelta(minutes=15)
CLOSE: Final = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)  # a Monday, 10:00: no quiet hour
MARKET: Final = Market(
    is_futures=True,
    min_notional=5.0,
    amount_step=0.001,
    price_tick=0.01,
    max_leverage=50.0,
    maintenance_margin_ratio=0.005,
)
HOST_STOP: Final = -0.99  # the strategy's own stop, far away

_ids = count(1)


@contextmanager
def without_database() -> Iterator[None]:
    """Keep trades and their custom data in memory, as a backtest does, and forget them after."""
    with FtNoDBContext("15m"):
        CustomDataWrapper.reset_custom_data()
        try:
            yield
        finally:
            CustomDataWrapper.reset_custom_data()


# ------------------------------------------------------------------------------ wallets, exchange


@dataclass
class StubHost:
    """Balance, positions and exchange rules that a test sets."""

    capital: float = 10_000.0
    free_balance: float = 10_000.0
    positions: list[Position] = field(default_factory=list)
    markets: dict[str, Market] = field(default_factory=dict)
    traded: set[str] = field(default_factory=set)
    history: TradeHistory = field(default_factory=NoTrades)
    hours: dict[str, HourCloses] = field(default_factory=dict)

    def holdings(self, mark_price: Callable[[str, datetime], float], now: datetime) -> Holdings:
        return Holdings(self.capital, self.free_balance, tuple(self.positions))

    def has_traded(self, pair: str, since: datetime) -> bool:
        return pair in self.traded

    def market(self, pair: str, price: float) -> Market:
        return self.markets.get(pair, MARKET)

    def trade_history(self) -> TradeHistory:
        return self.history

    def hour_closes(self, pair: str, days: int) -> HourCloses | None:
        return self.hours.get(pair)


def desk_of(
    settings: Settings | None = None, host: StubHost | None = None, **options: Any
) -> DecisionDesk:
    """Return a desk with a fresh account and log; options go to the desk."""
    settings = settings or Settings()
    account = Account(settings.breakers, MemoryStore(), resumes_next_day=True)
    return DecisionDesk(settings, host or StubHost(), account, MemoryLog(), **options)


# --------------------------------------------------------------------------------- analysed pairs


def analysed_frame(closes: list[float], last_close: datetime, **columns: Any) -> pd.DataFrame:
    """Return a frame whose last candle closes at `last_close`; a quiet one unless told."""
    rows = len(closes)
    first = last_close - CANDLE * rows
    values = {
        "date": pd.date_range(first, periods=rows, freq="15min"),
        "close": np.asarray(closes, dtype=np.float64),
        "atr_14": 1.0,
        "atr_pct": 1.0,
        "volume_ratio": 2.0,
        "confluence": 0.0,
        "coverage": 1.0,
        "direction": np.int8(1),
        "tier": np.int8(0),
        "is_tier_capped": False,
        "is_candidate": False,
        "setup_long": np.int8(1),
        "setup_short": np.int8(2),
        "stop_factor": 1.0,
    }
    return pd.DataFrame(values | columns)


def signal_pair(
    pair: str = PAIR,
    score: float = 90.0,
    side: str = "long",
    at: datetime = CLOSE,
    settings: Settings | None = None,
    **columns: Any,
) -> AnalysedPair:
    """Return a pair of three candles of which the last, closed `at`, is a candidate."""
    columns = {
        "confluence": [0.0, 0.0, score],
        "is_candidate": [False, False, True],
        "tier": [0, 0, TIER_MEDIUM],
        "direction": np.int8(1 if side == "long" else -1),
    } | columns
    frame = analysed_frame([100.0, 100.0, 100.0], at, **columns)
    return AnalysedPair(pair, frame, settings or Settings())


# ------------------------------------------------------------------------------- trades and orders


def ordered_trade(
    side: str = "long",
    price: float = 100.0,
    *,
    amount: float = 10.0,
    leverage: float = 1.0,
    at: datetime = CLOSE,
    market: Market = MARKET,
    pair: str = PAIR,
    kind: type[LocalTrade] = LocalTrade,
) -> LocalTrade:
    """Return a trade as it is right after its entry order was placed: no amount, no fill."""
    trade = kind(
        id=next(_ids),
        pair=pair,
        stake_currency="USDT",
        open_rate=price,
        open_rate_requested=price,
        open_date=at,
        stake_amount=amount * price / leverage,
        amount=0,
        amount_requested=amount,
        fee_open=0.0005,
        fee_close=0.0005,
        is_open=True,
        exchange="binance",
        is_short=side == "short",
        trading_mode=TradingMode.FUTURES,
        leverage=leverage,
        amount_precision=market.amount_step,
        price_precision=market.price_tick,
        precision_mode=TICK_SIZE_MODE,
        precision_mode_price=TICK_SIZE_MODE,
        contract_size=market.contract_size,
    )
    trade.adjust_stop_loss(price, HOST_STOP, initial=True)
    place(trade, trade.entry_side, amount, price)
    trade.recalc_trade_from_orders()
    return trade


def opened_trade(side: str = "long", price: float = 100.0, **options: Any) -> LocalTrade:
    """Return a trade whose entry order is filled."""
    trade = ordered_trade(side, price, **options)
    fill(trade, trade.orders[0])
    return trade


def place(
    trade: LocalTrade, side: str, amount: float, price: float, tag: str | None = None
) -> Order:
    """Place an order that rests."""
    number = next(_ids)
    order = Order(
        id=number,
        ft_trade_id=trade.id,
        ft_is_open=True,
        ft_pair=trade.pair,
        ft_amount=amount,
        ft_price=price,
        order_id=str(number),
        symbol=trade.pair,
        ft_order_side=side,
        side=side,
        order_type="limit",
        status="open",
        order_date=trade.open_date,
        price=price,
        average=price,
        amount=amount,
        filled=0,
        remaining=amount,
        ft_order_tag=tag,
    )
    order._trade_bt = trade
    trade.orders.append(order)
    return order


def fill(trade: LocalTrade, order: Order, amount: float | None = None) -> None:
    """Fill an order whole, or in part and cancel what remains of it."""
    if amount is None:
        order.close_bt_order(trade.open_date, trade)
    else:
        order.filled, order.remaining = amount, order.amount - amount
        order.status, order.ft_is_open = "canceled", False
        order.order_filled_date = trade.open_date
    trade.recalc_trade_from_orders()


def exit_leg(trade: LocalTrade, tag: str, amount: float, price: float) -> Order:
    """Place and fill a target's order."""
    order = place(trade, trade.exit_side, amount, price, tag)
    fill(trade, order)
    return order


def host_amount(trade: LocalTrade, stake: float) -> float:
    """Return the amount that the host makes of a partial exit's stake."""
    share = FtPrecise(stake) * FtPrecise(trade.amount) / FtPrecise(trade.stake_amount)
    return amount_to_contract_precision(
        abs(float(share)), trade.amount_precision, trade.precision_mode, trade.contract_size
    )

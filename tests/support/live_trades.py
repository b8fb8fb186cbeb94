"""Trades of a running bot: the host's own objects in its own database, moved as the host does it.

Orders are answers of an exchange, as ccxt gives them; what a fill does to a trade is the host's
doing.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from freqtrade.enums import TradingMode
from freqtrade.persistence import Order, Trade, init_db

from scalp_strategy.exits import TICK_SIZE_MODE
from scalp_strategy.risk import Market
from tests.support.host_stub import CLOSE, HOST_STOP, MARKET, PAIR

FEE = 0.0005
SECOND = timedelta(seconds=1)
_numbers = count(1)


@contextmanager
def trades_in(url: str = "sqlite://") -> Iterator[None]:
    """Keep trades in a database of the host's, as a running bot does."""
    init_db(url)
    try:
        yield
    finally:
        Trade.session.remove()


def ordered(
    side: str = "long",
    price: float = 100.0,
    *,
    amount: float = 10.0,
    leverage: float = 2.0,
    at: datetime = CLOSE + SECOND,
    market: Market = MARKET,
    pair: str = PAIR,
) -> Trade:
    """Return a trade whose entry rests, as the host makes it."""
    trade = Trade(
        pair=pair,
        base_currency="SOL",
        stake_currency="USDT",
        stake_amount=amount * price / leverage,
        amount=0,
        is_open=True,
        amount_requested=amount,
        fee_open=FEE,
        fee_close=FEE,
        open_rate=price,
        open_rate_requested=price,
        open_date=at,
        exchange="binance",
        strategy="ScalpStrategy",
        leverage=leverage,
        is_short=side == "short",
        trading_mode=TradingMode.FUTURES if market.is_futures else TradingMode.SPOT,
        funding_fees=0.0,
        amount_precision=market.amount_step,
        price_precision=market.price_tick,
        precision_mode=TICK_SIZE_MODE,
        precision_mode_price=TICK_SIZE_MODE,
        contract_size=market.contract_size,
    )
    trade.adjust_stop_loss(price, HOST_STOP, initial=True)
    placed(trade, trade.entry_side, amount, price, at=at)
    trade.recalc_trade_from_orders()
    Trade.session.add(trade)
    Trade.commit()
    return trade


def opened(side: str = "long", price: float = 100.0, **options: Any) -> Trade:
    """Return a trade whose entry is filled."""
    trade = ordered(side, price, **options)
    done(trade, trade.orders[0], at=trade.open_date_utc)
    return trade


def placed(
    trade: Trade, side: str, amount: float, price: float, tag: str | None = None, at=CLOSE + SECOND
) -> Order:
    """Place an order that rests."""
    answer = {
        "id": f"order-{next(_numbers)}",
        "symbol": trade.pair,
        "type": "limit",
        "side": trade.exit_side if side == "stoploss" else side,
        "status": "open",
        "price": price,
        "amount": amount,
        "filled": 0.0,
        "remaining": amount,
        "timestamp": round(at.timestamp() * 1_000),
    }
    order = Order.parse_from_ccxt_object(answer, trade.pair, side, amount, price)
    order.ft_order_tag = tag
    trade.orders.append(order)
    if tag is not None:
        trade.exit_reason = tag
    Trade.commit()
    return order


def told(
    trade: Trade,
    order: Order,
    status: str,
    filled: float,
    average: float | None = None,
    at: datetime = CLOSE + SECOND,
) -> None:
    """Let the exchange tell of an order, and the host take it in."""
    answer = {
        "id": order.order_id,
        "status": status,
        "filled": filled,
        "remaining": order.amount - filled,
        "average": average or order.price,
        "price": order.price,
        "amount": order.amount,
        "lastTradeTimestamp": round(at.timestamp() * 1_000),
    }
    trade.update_order(answer)
    is_empty = status == "canceled" and not filled
    if not is_empty:
        trade.update_trade(order)
    Trade.commit()


def done(
    trade: Trade, order: Order, average: float | None = None, at: datetime = CLOSE + SECOND
) -> None:
    """Let an order fill whole."""
    told(trade, order, "closed", order.amount, average, at)


def left(
    trade: Trade, tag: str | None, amount: float, price: float, at=CLOSE + SECOND, side=""
) -> Order:
    """Place an exit order that fills whole."""
    order = placed(trade, side or trade.exit_side, amount, price, tag, at)
    done(trade, order, at=at)
    return order

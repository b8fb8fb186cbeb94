"""Freqtrade as the engine sees it: holdings and exchange rules (the only reader of its objects)."""

from collections.abc import Callable
from datetime import datetime
from math import isnan
from typing import Any

from freqtrade.enums import TRADE_MODES
from freqtrade.persistence import Trade
from pandas import DataFrame

from scalp_strategy.account import Position
from scalp_strategy.decision import Holdings
from scalp_strategy.exits import TICK_SIZE_MODE, HostTrade, candle_open, side_of_trade
from scalp_strategy.risk import Market


class FreqtradeHost:
    """Reads trades, wallets and markets of a running Freqtrade, live or in a backtest.

    Parameters
    ----------
    strategy
        The strategy; its `dp` and `wallets` are there once the host has started.
    stop_price
        Gives the stop in force of an open trade.
    """

    def __init__(self, strategy: Any, stop_price: Callable[[HostTrade, datetime], float]) -> None:
        self._strategy = strategy
        self._stop_price = stop_price
        self._limits: dict[str, dict[str, Any]] = {}

    def holdings(self, mark_price: Callable[[str, datetime], float], now: datetime) -> Holdings:
        """Return the balance and everything open or ordered."""
        wallets = self._strategy.wallets
        trades = Trade.get_trades_proxy(is_open=True)
        positions = tuple(
            self._position(trade, mark_price(trade.pair, now), now) for trade in trades
        )
        return Holdings(
            capital=wallets.get_total_stake_amount(),
            free_balance=wallets.get_available_stake_amount(),
            positions=positions,
        )

    def market(self, pair: str, price: float) -> Market:
        """Return the exchange's rules for a pair at about this price."""
        limits = self._limits.get(pair)
        if limits is None:
            limits = self._limits[pair] = self._read_limits(pair)
        return Market(
            is_futures=limits["is_futures"],
            min_notional=max(limits["min_cost"], limits["min_amount"] * price),
            amount_step=limits["amount_step"],
            price_tick=limits["price_tick"],
            max_leverage=limits["max_leverage"],
            contract_size=limits["contract_size"],
            maintenance_margin_ratio=limits["maintenance_margin_ratio"],
        )

    def candles(self, pair: str) -> DataFrame:
        """Return the 15m candles of a pair that may not be scanned; none where there are none."""
        dp, timeframe = self._strategy.dp, self._strategy.timeframe
        if dp.runmode in TRADE_MODES:
            shown: DataFrame = dp.ohlcv(pair, timeframe, copy=False)
            return shown
        stored: DataFrame = dp.historic_ohlcv(pair, timeframe)
        return stored

    def has_traded(self, pair: str, since: datetime) -> bool:
        """Return whether a trade of a pair was opened at or after an instant.

        A backtest is never restarted within a candle, so it does not look.
        """
        if self._strategy.dp.runmode not in TRADE_MODES:
            return False
        return bool(Trade.get_trades_proxy(pair=pair, open_date=since))

    def _position(self, trade: Any, mark: float, now: datetime) -> Position:
        # Until a candle has closed after the entry, the last close is older than the position.
        if isnan(mark) or candle_open(now) <= trade.open_date_utc:
            mark = trade.open_rate
        # Before the entry fills, the trade has no amount: its order has.
        is_pending = not trade.amount
        amount = trade.amount or sum(order.safe_amount for order in trade.open_orders)
        return Position(
            pair=trade.pair,
            side=side_of_trade(trade),
            amount=amount,
            entry_price=trade.open_rate,
            stop_price=self._stop_price(trade, now),
            mark_price=mark,
            is_pending=is_pending,
        )

    def _read_limits(self, pair: str) -> dict[str, Any]:
        exchange = self._strategy.dp._exchange
        is_futures = self._strategy.config.get("trading_mode") == "futures"
        limits = exchange.markets[pair]["limits"]
        contract_size = exchange.get_contract_size(pair) or 1.0
        maintenance = exchange.get_maintenance_ratio_and_amt(pair, 0.0)[0] if is_futures else 0.0
        return {
            "is_futures": is_futures,
            "min_cost": (limits["cost"]["min"] or 0.0) * contract_size,
            "min_amount": (limits["amount"]["min"] or 0.0) * contract_size,
            "amount_step": _step(exchange.get_precision_amount(pair), exchange.precisionMode),
            "price_tick": _step(exchange.get_precision_price(pair), exchange.precision_mode_price),
            "max_leverage": exchange.get_max_leverage(pair, 0.0) if is_futures else 1.0,
            "contract_size": contract_size,
            "maintenance_margin_ratio": maintenance,
        }


def _step(precision: float | None, mode: int) -> float:
    """Return a precision as a step: as it is in tick-size mode, else that many decimals."""
    if precision is None:
        return 1e-8
    return float(precision) if mode == TICK_SIZE_MODE else 10.0 ** -int(precision)

"""Freqtrade as the engine sees it: holdings, exchange rules, ended trades, candles not analysed.

The only reader of its objects beside the exits.
"""

from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from math import isfinite, isnan
from typing import Any, Final

import numpy as np
from freqtrade.configuration import TimeRange
from freqtrade.data.history import get_datahandler
from freqtrade.enums import TRADE_MODES, ExitType
from freqtrade.exchange import timeframe_to_seconds
from freqtrade.persistence import LocalTrade, Trade
from pandas import DataFrame
from sqlalchemy import and_, func, or_, select, true

from scalp_strategy.account import Position
from scalp_strategy.breakers import TradeHistory
from scalp_strategy.decision import Holdings, HourCloses
from scalp_strategy.exits import (
    TICK_SIZE_MODE,
    HostTrade,
    candle_open,
    precision_step,
    side_of_trade,
)
from scalp_strategy.own_trades import OwnTrades
from scalp_strategy.risk import LEG_TAGS, Market

HOUR: Final = "1h"
_NS_PER_S: Final = 1_000_000_000
_HOUR_NS: Final = 3_600 * _NS_PER_S
_HOURS_PER_DAY: Final = 24
# The host calls the ladder's stop by one of these; which one does not tell where it stood.
_STOPS: Final = frozenset(
    kind.value
    for kind in (
        ExitType.STOP_LOSS,
        ExitType.TRAILING_STOP_LOSS,
        ExitType.STOPLOSS_ON_EXCHANGE,
        ExitType.LIQUIDATION,
    )
)


def is_full_stop(trade: Any) -> bool:
    """Return whether an ended trade was stopped out before any target was filled whole.

    Until then the ladder leaves the stop where it was first.
    """
    return trade.exit_reason in _STOPS and not any(
        order.ft_order_tag in LEG_TAGS and order.safe_filled and not order.safe_remaining
        for order in trade.orders
    )


class StoredTrades:
    """Ended trades in the host's database; a `TradeHistory` for one moment.

    It asks for what is needed and keeps nothing, so trades that ended while nobody looked count.

    Parameters
    ----------
    names
        Names of the strategy whose trades count; all where it is empty.
    """

    def __init__(self, names: Collection[str] = ()) -> None:
        self._is_own = or_(Trade.strategy.in_(names), Trade.strategy.is_(None)) if names else true()

    def last_full_stop(self, pair: str, since: datetime) -> datetime | None:
        """Return when a pair was last stopped out at the initial stop, since an instant."""
        query = (
            select(Trade)
            .where(
                Trade.is_open.is_(False),
                self._is_own,
                Trade.pair == pair,
                Trade.exit_reason.in_(_STOPS),
                Trade.close_date >= since.astimezone(UTC).replace(tzinfo=None),
            )
            .order_by(Trade.close_date.desc())
        )
        stopped = (trade for trade in Trade.session.scalars(query) if is_full_stop(trade))
        return next((trade.close_date_utc for trade in stopped), None)

    def win_streak(self) -> int:
        """Return how many trades in a row ended with a net profit, the newest first by close."""
        return self._streak

    @cached_property
    def _streak(self) -> int:
        ended = and_(Trade.is_open.is_(False), Trade.close_date.is_not(None), self._is_own)
        lost = (
            select(Trade.close_date, Trade.id)
            .where(ended, Trade.close_profit_abs <= 0)
            .order_by(Trade.close_date.desc(), Trade.id.desc())
            .limit(1)
        )
        won = select(func.count(Trade.id)).where(ended, Trade.close_profit_abs > 0)
        last_loss = Trade.session.execute(lost).first()
        if last_loss is not None:
            closed, number = last_loss
            is_later = and_(Trade.close_date == closed, Trade.id > number)
            won = won.where(or_(Trade.close_date > closed, is_later))
        return int(Trade.session.execute(won).scalar_one())


class BacktestTrades:
    """Ended trades of a backtest; a `TradeHistory` that looks at each of them once.

    Parameters
    ----------
    candle
        Length of the candles that trades end in. The host dates an exit by its candle's open; it
        was known only at the close, so that is when it counts as made.
    """

    def __init__(self, candle: timedelta) -> None:
        self._candle = candle
        self.reset()

    def reset(self) -> None:
        """Forget all trades."""
        self._seen = 0
        self._stopped: dict[str, datetime] = {}
        self._last_loss: tuple[datetime, int] | None = None
        self._wins: list[tuple[datetime, int]] = []

    def look(self) -> None:
        """Take the trades that have ended since the last look; fewer than then: begin anew."""
        trades = LocalTrade.bt_trades
        if len(trades) < self._seen:
            self.reset()
        for trade in trades[self._seen :]:
            self._take(trade)
        self._seen = len(trades)

    def last_full_stop(self, pair: str, since: datetime) -> datetime | None:
        """Return when a pair was last stopped out at the initial stop, since an instant."""
        stopped = self._stopped.get(pair)
        return stopped if stopped is not None and stopped >= since else None

    def win_streak(self) -> int:
        """Return how many trades in a row ended with a net profit, the newest first by close."""
        return len(self._wins)

    def _take(self, trade: LocalTrade) -> None:
        ended = trade.close_date_utc, trade.id
        if trade.close_profit_abs > 0:
            if self._last_loss is None or ended > self._last_loss:
                self._wins.append(ended)
        elif self._last_loss is None or ended > self._last_loss:
            self._last_loss = ended
            self._wins = [won for won in self._wins if won > ended]
        if is_full_stop(trade):
            counted = trade.close_date_utc + self._candle
            self._stopped[trade.pair] = max(counted, self._stopped.get(trade.pair, counted))


class FreqtradeHost:
    """Reads trades, wallets and markets of a running Freqtrade, live or in a backtest.

    Parameters
    ----------
    strategy
        The strategy; its `dp` and `wallets` are there once the host has started.
    stop_price
        Gives the stop in force of an open trade; None for another strategy's, whose risk is not
        ours to plan.
    trades
        Keeps a trade that cannot be read from the others, and tells whose it is.
    """

    def __init__(
        self,
        strategy: Any,
        stop_price: Callable[[HostTrade, datetime], float | None],
        trades: OwnTrades | None = None,
    ) -> None:
        self._strategy = strategy
        self._stop_price = stop_price
        self._limits: dict[str, dict[str, Any]] = {}
        self._limits_of: Any = None
        self._trades = trades or OwnTrades()
        self._modes = _precision_modes(strategy.dp)
        self._ended: BacktestTrades | None = None
        self._hours: dict[str, tuple[Any, HourCloses | None]] = {}

    def holdings(self, mark_price: Callable[[str, datetime], float], now: datetime) -> Holdings:
        """Return the balance and everything open or ordered."""
        wallets = self._strategy.wallets
        trades = Trade.get_trades_proxy(is_open=True)
        positions = tuple(
            self._trades.run(
                trade,
                "its value",
                partial(self._position, trade, mark_price, now),
                partial(carried_position, trade),
            )
            for trade in trades
        )
        return Holdings(
            capital=wallets.get_total_stake_amount(),
            free_balance=wallets.get_available_stake_amount(),
            positions=positions,
        )

    def market(self, pair: str, price: float) -> Market:
        """Return the exchange's rules for a pair at about this price.

        They are those of the host's present market list: it loads that anew every hour.
        """
        markets = getattr(getattr(self._strategy.dp, "_exchange", None), "markets", None)
        if markets is not None and markets is not self._limits_of:
            self._limits.clear()
            self._limits_of = markets
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
        if self._is_trading:
            shown: DataFrame = dp.ohlcv(pair, timeframe, copy=False)
            return shown
        stored: DataFrame = dp.historic_ohlcv(pair, timeframe)
        return stored

    def trade_history(self) -> TradeHistory:
        """Return what the trades that have ended by now tell."""
        if Trade.use_db:
            return StoredTrades(self._trades.names)
        if self._ended is None:
            config = self._strategy.config
            frame = config.get("timeframe_detail") or self._strategy.timeframe
            self._ended = BacktestTrades(timedelta(seconds=timeframe_to_seconds(frame)))
        self._ended.look()
        return self._ended

    def hour_closes(self, pair: str, days: int) -> HourCloses | None:
        """Return a pair's closes on the full hour from before its analysed candles.

        While trading, those of its 1h candles, where the strategy asks for them; in a backtest
        those of the stored candles of the days before its start. The same object as before while
        nothing is new; None where there are none.
        """
        if self._is_trading:
            return self._shown_hours(pair)
        if pair not in self._hours:
            self._hours[pair] = (None, self._stored_hours(pair, days))
        return self._hours[pair][1]

    def has_traded(self, pair: str, since: datetime) -> bool:
        """Return whether a trade of a pair was opened at or after an instant.

        A backtest is never restarted within a candle, so it does not look.
        """
        if not self._is_trading:
            return False
        return bool(Trade.get_trades_proxy(pair=pair, open_date=since))

    @property
    def _is_trading(self) -> bool:
        return self._strategy.dp.runmode in TRADE_MODES

    def _shown_hours(self, pair: str) -> HourCloses | None:
        candles = self._strategy.dp.ohlcv(pair, HOUR, copy=False)
        if candles.empty:
            return None
        last = candles["date"].iat[-1], candles["close"].iat[-1], len(candles)
        if pair not in self._hours or self._hours[pair][0] != last:
            self._hours[pair] = (last, _on_the_hour(candles, _HOUR_NS))
        return self._hours[pair][1]

    def _stored_hours(self, pair: str, days: int) -> HourCloses | None:
        config = self._strategy.config
        span = TimeRange.parse_timerange(config.get("timerange"))
        if not span.startts or "datadir" not in config:
            return None
        timeframe = self._strategy.timeframe
        stored = get_datahandler(config["datadir"], config["dataformat_ohlcv"])
        # Without a span, which the host would warn of where the candles begin later.
        candles = stored.ohlcv_load(
            pair,
            timeframe,
            config["candle_type_def"],
            drop_incomplete=False,
            warn_no_data=False,
        )
        if candles.empty:
            return None
        known = _on_the_hour(candles, timeframe_to_seconds(timeframe) * _NS_PER_S)
        end = span.startts * _NS_PER_S // _HOUR_NS
        kept = (known.hours >= end - days * _HOURS_PER_DAY) & (known.hours <= end)
        return HourCloses(known.hours[kept], known.closes[kept])

    def _position(
        self, trade: Any, mark_price: Callable[[str, datetime], float], now: datetime
    ) -> Position:
        mark = mark_price(trade.pair, now)
        # Until a candle has closed after the entry, the last close is older than the position.
        if isnan(mark) or candle_open(now) <= trade.open_date_utc:
            mark = trade.open_rate
        # Before the entry fills, the trade has no amount: its order has.
        is_pending = not trade.amount
        stop = self._stop_price(trade, now)
        amount = trade.amount or sum(order.safe_amount for order in trade.open_orders)
        stop = mark if stop is None else stop
        if not all(map(isfinite, (amount, trade.open_rate, stop, mark))):
            # Not a number would be the account's equity and heat, and harm every other trade.
            raise ValueError(f"amount {amount}, rate {trade.open_rate}, stop {stop}, price {mark}")
        return Position(
            pair=trade.pair,
            side=side_of_trade(trade),
            amount=amount,
            entry_price=trade.open_rate,
            stop_price=stop,
            mark_price=mark,
            is_pending=is_pending,
        )

    def _read_limits(self, pair: str) -> dict[str, Any]:
        exchange = self._strategy.dp._exchange
        amount_mode, price_mode = self._modes
        is_futures = self._strategy.config.get("trading_mode") == "futures"
        limits = exchange.markets[pair]["limits"]
        contract_size = exchange.get_contract_size(pair) or 1.0
        maintenance = exchange.get_maintenance_ratio_and_amt(pair, 0.0)[0] if is_futures else 0.0
        return {
            "is_futures": is_futures,
            "min_cost": (limits["cost"]["min"] or 0.0) * contract_size,
            "min_amount": (limits["amount"]["min"] or 0.0) * contract_size,
            "amount_step": precision_step(exchange.get_precision_amount(pair), amount_mode),
            "price_tick": precision_step(exchange.get_precision_price(pair), price_mode),
            "max_leverage": exchange.get_max_leverage(pair, 0.0) if is_futures else 1.0,
            "contract_size": contract_size,
            "maintenance_margin_ratio": maintenance,
        }


def _precision_modes(dp: Any) -> tuple[int, int]:
    """Return what precisions of amounts and of prices mean.

    Asked at the start: hyperopt takes the exchange's connection away before its first epoch.
    """
    exchange = getattr(dp, "_exchange", None)
    if exchange is None:
        return TICK_SIZE_MODE, TICK_SIZE_MODE
    return exchange.precisionMode, exchange.precision_mode_price


def _on_the_hour(candles: DataFrame, length_ns: int) -> HourCloses:
    """Return the closes of the candles that closed on the full hour."""
    close_ns = candles["date"].dt.as_unit("ns").array.asi8 + length_ns
    is_hour = close_ns % _HOUR_NS == 0
    closes = candles["close"].to_numpy(dtype=np.float64)
    return HourCloses(close_ns[is_hour] // _HOUR_NS, closes[is_hour])


def carried_position(trade: Any) -> Position:
    """Return a trade that cannot be valued as what it carries: its rate, its amount, its stop.

    It keeps its slot, and its risk is that down to the stop; without a stop all of it.
    """
    rates = (trade.open_rate, trade.open_rate_requested, trade.max_rate)
    rate = next((float(one) for one in rates if _is_positive(one)), 0.0)
    amount = float(trade.amount) if _is_positive(trade.amount) else 0.0
    return Position(
        pair=str(trade.pair),
        side="short" if trade.is_short else "long",
        amount=amount,
        entry_price=rate,
        stop_price=float(trade.stop_loss) if _is_positive(trade.stop_loss) else 0.0,
        mark_price=rate,
        is_pending=not amount,
    )


def _is_positive(value: Any) -> bool:
    return isinstance(value, int | float) and isfinite(value) and value > 0

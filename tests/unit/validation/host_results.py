"""Backtest results written by the host itself: its trades, its statistics, its zip."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
from freqtrade.data.btanalysis import trade_list_to_dataframe
from freqtrade.enums import RunMode, TradingMode
from freqtrade.optimize.optimize_reports import generate_backtest_stats, store_backtest_results
from freqtrade.optimize.optimize_reports.optimize_reports import generate_trade_signal_candles
from freqtrade.persistence import LocalTrade, Order

START = datetime(2026, 1, 1, tzinfo=UTC)
FEE = 0.0015
BALANCE = 10_000.0
PAIR = "BTC/USDT:USDT"


def at(candle: int, minutes: int = 0) -> datetime:
    return START + timedelta(minutes=15 * candle + minutes)


def _order(trade: LocalTrade, fill: tuple[datetime, float, float, str], side: str) -> None:
    when, price, amount, tag = fill
    order = Order(
        id=len(trade.orders) + 1, ft_trade_id=trade.id, ft_is_open=True, ft_pair=trade.pair,
        order_id=str(len(trade.orders)), symbol=trade.pair, ft_order_side=side, side=side,
        order_type="limit", status="open", order_date=when, order_update_date=when,
        ft_price=price, price=price, average=price, amount=amount, filled=0.0, remaining=amount,
        cost=amount * price * (1 + FEE), ft_order_tag=tag,
    )  # fmt: skip
    order._trade_bt = trade
    trade.orders.append(order)
    order.close_bt_order(when, trade)
    trade.recalc_trade_from_orders()


def host_trade(
    entry: tuple[datetime, float, float, str],
    exits: list[tuple[datetime, float, float, str]],
    *,
    is_short: bool = False,
    pair: str = PAIR,
    funding: float = 0.0,
) -> LocalTrade:
    """Make a closed trade as the host's backtester does; fills are (time, price, amount, tag)."""
    opened, price, amount, tag = entry
    trade = LocalTrade(
        id=1, pair=pair, base_currency="BTC", stake_currency="USDT", open_rate=price,
        open_rate_requested=price, open_date=opened, stake_amount=price * amount / 3, amount=0,
        amount_requested=amount, fee_open=FEE, fee_close=FEE, is_open=True, enter_tag=tag,
        timeframe=15, exchange="binance", is_short=is_short, trading_mode=TradingMode.FUTURES,
        leverage=3.0, amount_precision=8, price_precision=8, precision_mode=2,
        precision_mode_price=2, contract_size=1.0, orders=[],
    )  # fmt: skip
    trade.adjust_stop_loss(price, -0.99, initial=True)
    _order(trade, entry, trade.entry_side)
    for fill in exits:
        trade.funding_fee_running = funding / len(exits)
        _order(trade, fill, trade.exit_side)
    trade.exit_reason = exits[-1][3]
    trade.close_date = exits[-1][0]
    trade.close(exits[-1][1], show_msg=False)
    return trade


def candles(count: int = 400, pair_close: float = 100.0, sl_pct: float = 1.0) -> pd.DataFrame:
    """Return flat analysed candles, one stop distance throughout."""
    dates = pd.date_range(START, periods=count, freq="15min").as_unit("ms")
    frame = pd.DataFrame({"date": dates, "close": pair_close, "sl_pct": sl_pct})
    for column in ("open", "high", "low"):
        frame[column] = frame["close"]
    return frame


def store_run(
    folder: Path,
    trades: list[LocalTrade],
    frames: dict[str, pd.DataFrame],
    *,
    export: str = "signals",
    strategies: tuple[str, ...] = ("ScalpStrategy",),
    scalp: dict[str, Any] | None = None,
) -> Path:
    """Write a result as the end of `Backtesting.start` does, and return its zip."""
    config: dict[str, Any] = {
        "max_open_trades": 50, "dry_run_wallet": BALANCE, "stake_currency": "USDT",
        "stake_amount": "unlimited", "timeframe": "15m", "stoploss": -0.99, "export": export,
        "minimal_roi": {"0": 100}, "use_exit_signal": True, "exit_profit_only": False,
        "exit_profit_offset": 0.0, "ignore_roi_if_entry_signal": False, "trading_mode": "futures",
        "margin_mode": "isolated", "exportdirectory": folder, "runmode": RunMode.BACKTEST,
        "original_config": {"scalp": scalp or {}},
    }  # fmt: skip
    results = trade_list_to_dataframe(trades)
    content: dict[str, Any] = {
        "results": results, "config": config, "locks": [], "rejected_signals": 0,
        "timedout_entry_orders": 0, "timedout_exit_orders": 0, "canceled_trade_entries": 0,
        "canceled_entry_orders": 0, "replaced_entry_orders": 0, "final_balance": BALANCE,
        "run_id": "1", "backtest_start_time": 0, "backtest_end_time": 1,
    }  # fmt: skip
    last = max(frame["date"].iloc[-1] for frame in frames.values())
    stats = generate_backtest_stats(
        frames, dict.fromkeys(strategies, content), START, last.to_pydatetime()
    )
    signals = generate_trade_signal_candles(frames, content, "open_date")
    folder.mkdir(parents=True, exist_ok=True)
    return store_backtest_results(
        config,
        stats,
        "2026-03-01_00-00-00",
        analysis_results={"signals": dict.fromkeys(strategies, signals)},
    )


def winner(candle: int = 10, **options: Any) -> LocalTrade:
    """Return a long at 100 with all three targets: 0.4*1.5 + 0.4*2.5 + 0.2*4 = 2.4 R at 1 %."""
    fills = [
        (at(candle + 1), 101.5, 4.0, "tp1"),
        (at(candle + 2), 102.5, 4.0, "tp2"),
        (at(candle + 3), 104.0, 2.0, "tp3"),
    ]
    return host_trade((at(candle), 100.0, 10.0, "HIGH 84"), fills, **options)


def loser(candle: int = 20, **options: Any) -> LocalTrade:
    """Return a short at 100 stopped at 101: -1 R at 1 %."""
    return host_trade(
        (at(candle), 100.0, 10.0, "MEDIUM 70"),
        [(at(candle + 2), 101.0, 10.0, "stop_loss")],
        is_short=True,
        **options,
    )

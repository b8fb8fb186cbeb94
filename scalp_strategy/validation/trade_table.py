"""Trades of a backtest as one row each: money from the orders, risk from the signal candle.

The host's own profit is in the table for reconciliation only. Everything else comes from the filled
orders, so that the same trades can be priced at another cost. Sizes are not recomputed.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from scalp_strategy.errors import PayloadError
from scalp_strategy.validation.metrics import FloatArray, IntArray

STOP_COLUMN = "sl_pct"
CARRIED_COLUMNS = ("regime", "coverage")
COLUMNS = ("pair", "is_short", "opened_ms", "closed_ms", "enter_tag", "exit_reason", "amount",
           "entry_price", "entry_notional", "exit_notional", "gross", "funding", "host_cost",
           "host_profit", "exits")  # fmt: skip


def trade_table(trades: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Return closed trades with their money, ordered by closing time.

    Parameters
    ----------
    trades : iterable of mapping
        Trades as the host exports them, with their `orders`. Orders that never filled are left out.

    Returns
    -------
    DataFrame
        One row per trade. `amount` in base currency; `entry_notional`, `exit_notional`, `gross`
        (price profit before cost), `funding` (positive = received), `host_cost` (fees at the rates
        of the run) and `host_profit` in quote currency; `opened_ms`, `closed_ms` in Unix
        milliseconds; `exits` a tuple of (filled_ms, price, amount, tag).

    Raises
    ------
    PayloadError
        When a trade lacks what the host always writes.
    """
    rows = [_row(trade) for trade in trades]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.sort_values("closed_ms", kind="stable", ignore_index=True)


def _row(trade: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return _identity(trade) | _money(trade)
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        name = f"{trade.get('pair')} opened {trade.get('open_date')}"
        raise PayloadError(f"Trade {name} is not a closed trade of the host: {error!r}") from error


def _identity(trade: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "pair": str(trade["pair"]),
        "is_short": bool(trade["is_short"]),
        "opened_ms": int(trade["open_timestamp"]),
        "closed_ms": int(trade["close_timestamp"]),
        "enter_tag": trade["enter_tag"] or "",
        "exit_reason": trade["exit_reason"] or "",
        "funding": float(trade["funding_fees"] or 0.0),
        "host_profit": float(trade["profit_abs"]),
    }


def _money(trade: Mapping[str, Any]) -> dict[str, Any]:
    filled = [order for order in trade["orders"] if order["order_filled_timestamp"] is not None]
    entries = [order for order in filled if order["ft_is_entry"]]
    exits = [order for order in filled if not order["ft_is_entry"]]
    amount, entry_notional = _filled(entries)
    exit_amount, exit_notional = _filled(exits)
    entry_price = entry_notional / amount
    sign = -1 if trade["is_short"] else 1
    return {
        "amount": amount,
        "entry_price": entry_price,
        "entry_notional": entry_notional,
        "exit_notional": exit_notional,
        "gross": sign * (exit_notional - entry_price * exit_amount),
        "host_cost": trade["fee_open"] * entry_notional + trade["fee_close"] * exit_notional,
        "exits": tuple(
            (o["order_filled_timestamp"], o["safe_price"], o["amount"], o["ft_order_tag"] or "")
            for o in exits
        ),
    }


def _filled(orders: list[Mapping[str, Any]]) -> tuple[float, float]:
    amount = sum(float(order["amount"]) for order in orders)
    return amount, sum(float(order["amount"]) * float(order["safe_price"]) for order in orders)


def with_signals(
    table: pd.DataFrame, signals: Mapping[str, pd.DataFrame], timeframe_ms: int
) -> pd.DataFrame:
    """Return the table with each trade's initial risk and what its signal candle said.

    ``risk = amount * sl_pct / 100 * close``, both from the signal candle: the latest one that had
    closed when the trade opened, and not longer ago than one candle.

    Parameters
    ----------
    table : DataFrame
        From `trade_table`.
    signals : mapping of str to DataFrame
        Pair to candles with `date` (open time, UTC), `close` and `sl_pct`; `regime` and `coverage`
        are carried over where they exist.
    timeframe_ms : int
        Length of a candle.

    Returns
    -------
    DataFrame
        With `stop_distance` (price units) and `risk` (quote currency): NaN when there is no signal
        candle, as for a forced entry, or when its stop is unknown or not positive.

    Raises
    ------
    PayloadError
        When there are candles, but none has the column `sl_pct`.
    """
    frames = {pair: frame for pair, frame in signals.items() if not frame.empty}
    if frames and not any(STOP_COLUMN in frame for frame in frames.values()):
        raise PayloadError(
            f"The signal candles have no column {STOP_COLUMN!r}: the strategy must add it in "
            "populate_indicators, since the host exports those columns only."
        )
    parts = [
        _matched(rows, frames.get(str(pair)), timeframe_ms)
        for pair, rows in table.groupby("pair", sort=False)
    ]
    joined = pd.concat(parts).sort_index() if parts else table.assign(stop_distance=np.nan)
    return joined.assign(risk=joined["amount"] * joined["stop_distance"])


def _matched(rows: pd.DataFrame, frame: pd.DataFrame | None, timeframe_ms: int) -> pd.DataFrame:
    if frame is None or STOP_COLUMN not in frame:
        return rows.assign(stop_distance=np.nan)
    frame = frame.sort_values("date")
    at = _signal_positions(rows["opened_ms"].to_numpy(np.int64), frame["date"], timeframe_ms)
    carried = {column: frame[column] for column in CARRIED_COLUMNS if column in frame}
    distance = (frame[STOP_COLUMN] / 100 * frame["close"]).where(lambda d: (d > 0) & (d < np.inf))
    columns = {"stop_distance": distance.astype("float64"), **carried}
    return rows.assign(
        **{
            name: pd.Series(np.append(values.to_numpy(object), np.nan)[at], rows.index)
            for name, values in columns.items()
        }
    ).astype({"stop_distance": "float64"})


def _signal_positions(opened: IntArray, dates: "pd.Series[Any]", timeframe_ms: int) -> IntArray:
    closed = dates.dt.as_unit("ms").astype("int64").to_numpy() + timeframe_ms
    at = np.searchsorted(closed, opened, side="right") - 1
    is_fresh = (at >= 0) & (opened - closed[at] < timeframe_ms)
    return np.where(is_fresh, at, -1).astype(np.int64)


def cost_at(table: pd.DataFrame, cost_per_side: float) -> FloatArray:
    """Return each trade's cost in quote currency: ``rate * (entry + exit notional)``."""
    turnover = table["entry_notional"] + table["exit_notional"]
    return (cost_per_side * turnover).to_numpy(np.float64)


def net_profit(table: pd.DataFrame, cost_per_side: float) -> FloatArray:
    """Return ``gross + funding - cost`` per trade in quote currency, sizes as they were."""
    before_cost = (table["gross"] + table["funding"]).to_numpy(np.float64)
    net: FloatArray = before_cost - cost_at(table, cost_per_side)
    return net


def net_r(table: pd.DataFrame, cost_per_side: float) -> FloatArray:
    """Return `net_profit` in multiples of the initial risk; NaN where the risk is unknown."""
    in_r: FloatArray = net_profit(table, cost_per_side) / table["risk"].to_numpy(np.float64)
    return in_r


def host_gap(table: pd.DataFrame) -> float:
    """Return the largest gap between the orders' profit and the host's, as a ratio of notional.

    Both at the fees of the run. More than rounding means that the host counted something the orders
    do not show; 0 without trades.
    """
    own = table["gross"] + table["funding"] - table["host_cost"]
    gap = (own - table["host_profit"]).abs() / table["entry_notional"]
    return float(gap.max()) if len(gap) else 0.0

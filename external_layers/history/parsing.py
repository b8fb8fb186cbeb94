"""The exchange's daily files into columns: one `parse_*` per kind. Pure.

Prices in quote currency, quantities in base currency, times in epoch milliseconds. Values that
cannot be (a price of 0, no open interest) are dropped and counted like rows that cannot be read.
"""

from dataclasses import replace
from typing import Final

import numpy as np

from external_layers.history.tables import (
    FLAG,
    INTEGER,
    NUMBER,
    TIME_TEXT,
    Table,
    milliseconds,
    read_table,
)

_AGG_TRADES: Final = (
    "agg_trade_id",
    "price",
    "quantity",
    "first_trade_id",
    "last_trade_id",
    "transact_time",
    "is_buyer_maker",
    "is_best_match",
)
_KLINES: Final = (
    "open_time",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "close_time",
    "quote_volume",
    "count",
    "taker_buy_volume",
    "taker_buy_quote_volume",
    "ignore",
)
_METRICS: Final = (
    "create_time",
    "symbol",
    "sum_open_interest",
    "sum_open_interest_value",
    "count_toptrader_long_short_ratio",
    "sum_toptrader_long_short_ratio",
    "count_long_short_ratio",
    "sum_taker_long_short_vol_ratio",
)
_BOOK_DEPTH: Final = ("timestamp", "percentage", "depth", "notional")
_FUNDING_RATE: Final = ("calc_time", "funding_interval_hours", "last_funding_rate")


def parse_agg_trades(content: bytes, name: str) -> Table:
    """Return aggregate trades by id: agg_trade_id, price, quantity, transact_time, is_buyer_maker.

    Files are not always in order and repeat rows at times: sorted by id, a repeated id dropped.

    Raises
    ------
    PayloadError
        When the file cannot be read at all.
    """
    wanted = {"agg_trade_id": INTEGER, "price": NUMBER, "quantity": NUMBER}
    wanted |= {"transact_time": INTEGER, "is_buyer_maker": FLAG}
    table = read_table(content, _AGG_TRADES, wanted, name)
    table.columns["transact_time"] = milliseconds(table.columns["transact_time"])
    is_real = (table.columns["price"] > 0.0) & (table.columns["quantity"] > 0.0)
    return _ordered(_kept(table, is_real), "agg_trade_id")


def parse_klines(content: bytes, name: str) -> Table:
    """Return candles by open: open_time, close_time (exclusive), close, volume, count, taker_buy.

    `taker_buy_volume` is what takers bought, at most the volume.

    Raises
    ------
    PayloadError
        When the file cannot be read at all.
    """
    wanted = {"open_time": INTEGER, "close_time": INTEGER, "close": NUMBER, "volume": NUMBER}
    wanted |= {"count": INTEGER, "taker_buy_volume": NUMBER}
    table = read_table(content, _KLINES, wanted, name)
    columns = table.columns
    columns["open_time"] = milliseconds(columns["open_time"])
    columns["close_time"] = milliseconds(columns["close_time"]) + 1
    bought, volume = columns["taker_buy_volume"], columns["volume"]
    is_real = (columns["close"] > 0.0) & (bought >= 0.0) & (volume >= bought)
    return _ordered(_kept(table, is_real), "open_time")


def parse_metrics(content: bytes, name: str) -> Table:
    """Return open interest by time: create_time, sum_open_interest (base currency).

    Files have holes, blanks and zeros, and are not always in order.

    Raises
    ------
    PayloadError
        When the file cannot be read at all.
    """
    wanted = {"create_time": TIME_TEXT, "sum_open_interest": NUMBER}
    table = read_table(content, _METRICS, wanted, name)
    return _ordered(_kept(table, table.columns["sum_open_interest"] > 0.0), "create_time")


def parse_funding_rates(content: bytes, name: str) -> Table:
    """Return settled funding by time: calc_time, funding_interval_hours, last_funding_rate.

    The rate is a ratio per funding interval.

    Raises
    ------
    PayloadError
        When the file cannot be read at all.
    """
    wanted = {"calc_time": INTEGER, "funding_interval_hours": INTEGER, "last_funding_rate": NUMBER}
    table = read_table(content, _FUNDING_RATE, wanted, name)
    return _ordered(_kept(table, table.columns["funding_interval_hours"] > 0), "calc_time")


def parse_book_depth(content: bytes, name: str) -> Table:
    """Return cumulative depth in percentage bands: timestamp, percentage, depth, notional.

    Negative percentages are bids. Even the nearest band reaches far beyond the ten best levels of
    which the order-flow layer measures the imbalance, which lie within hundredths of a percent: it
    stands for them only where the settings say so, and is flagged.

    Raises
    ------
    PayloadError
        When the file cannot be read at all.
    """
    wanted = {"timestamp": TIME_TEXT, "percentage": NUMBER, "depth": NUMBER, "notional": NUMBER}
    table = read_table(content, _BOOK_DEPTH, wanted, name)
    is_real = (table.columns["depth"] >= 0.0) & (table.columns["notional"] >= 0.0)
    kept = _kept(table, is_real)
    order = np.lexsort((kept.columns["percentage"], kept.columns["timestamp"]))
    return kept.part(order)


def _kept(table: Table, is_real: np.ndarray) -> Table:
    return replace(table.part(is_real), dropped=table.dropped + int((~is_real).sum()))


def _ordered(table: Table, key: str) -> Table:
    """Sort by a key; of rows with one key the first stays, the others are counted as dropped."""
    _, first = np.unique(table.columns[key], return_index=True)
    repeated = len(table) - len(first)
    return replace(table.part(first), dropped=table.dropped + repeated)

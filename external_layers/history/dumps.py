"""The exchange's files of past days: what there is, how it is called, what it can tell.

Layout and names as on data.binance.vision
(https://github.com/binance/binance-public-data), beside each file its ``.CHECKSUM``.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Final

from external_layers.binance.messages import MarketKind
from scalp_strategy.errors import ConfigError

_ROOTS: Final[dict[MarketKind, str]] = {"futures": "data/futures/um", "spot": "data/spot"}
_MONTHLY: Final = ("fundingRate",)


class DumpKind(StrEnum):
    """A kind of file, named as in its path."""

    AGG_TRADES = "aggTrades"
    KLINES_1M = "1m"
    KLINES_5M = "5m"
    METRICS = "metrics"
    BOOK_DEPTH = "bookDepth"
    FUNDING_RATE = "fundingRate"

    @property
    def is_kline(self) -> bool:
        """Whether it holds candles."""
        return self in (DumpKind.KLINES_1M, DumpKind.KLINES_5M)


# What only futures have, and files of a month in place of a day.
_FUTURES_ONLY: Final = (DumpKind.METRICS, DumpKind.BOOK_DEPTH, DumpKind.FUNDING_RATE)


@dataclass(frozen=True, slots=True)
class Instrument:
    """A pair as the exchange's files know it."""

    pair: str
    market: MarketKind
    symbol: str

    def has(self, kind: DumpKind) -> bool:
        """Return whether such files exist at all."""
        return self.market == "futures" or kind not in _FUTURES_ONLY


def instrument_of(pair: str) -> Instrument:
    """Return the instrument of a pair in Freqtrade's notation.

    Raises
    ------
    ConfigError
        When it is no such pair.

    Examples
    --------
    >>> instrument_of("BTC/USDT:USDT")
    Instrument(pair='BTC/USDT:USDT', market='futures', symbol='BTCUSDT')
    >>> instrument_of("ETH/USDT").market
    'spot'
    """
    base, slash, rest = pair.partition("/")
    quote, colon, settle = rest.partition(":")
    if not (base and slash and quote) or (colon and settle != quote):
        raise ConfigError(
            f"{pair!r} is no pair: write BTC/USDT:USDT for futures, BTC/USDT for spot"
        )
    return Instrument(pair, "futures" if colon else "spot", base + quote)


def dump_path(instrument: Instrument, kind: DumpKind, day: date) -> str:
    """Return the path of the file that holds a day (of its month, where files are monthly).

    Examples
    --------
    >>> btc = instrument_of("BTC/USDT:USDT")
    >>> dump_path(btc, DumpKind.KLINES_1M, date(2025, 6, 1))
    'data/futures/um/daily/klines/BTCUSDT/1m/BTCUSDT-1m-2025-06-01.zip'
    >>> dump_path(btc, DumpKind.FUNDING_RATE, date(2025, 6, 1))
    'data/futures/um/monthly/fundingRate/BTCUSDT/BTCUSDT-fundingRate-2025-06.zip'
    """
    symbol, is_monthly = instrument.symbol, kind in _MONTHLY
    span = f"{day:%Y-%m}" if is_monthly else day.isoformat()
    folder = f"klines/{symbol}/{kind}" if kind.is_kline else f"{kind}/{symbol}"
    period = "monthly" if is_monthly else "daily"
    return f"{_ROOTS[instrument.market]}/{period}/{folder}/{symbol}-{kind}-{span}.zip"


def days_between(first: date, stop: date) -> list[date]:
    """Return the days from `first` to the one before `stop`.

    Raises
    ------
    ConfigError
        When there is none.
    """
    if stop <= first:
        raise ConfigError(f"no day lies from {first} to {stop} (the last day is not included)")
    return [first + timedelta(days=number) for number in range((stop - first).days)]


def month_before(day: date) -> date:
    """Return a day of the month before."""
    return day.replace(day=1) - timedelta(days=1)

"""Where the candles come from that say what a signal became.

While trading: those in memory, and the exchange, asked by a client of its own that has no keys. In
a backtest: those on disk.
"""

import logging
from collections.abc import Callable, Mapping
from copy import deepcopy
from datetime import datetime
from typing import Any, Final, Literal

import ccxt
import numpy as np
from freqtrade.misc import deep_merge_dicts
from pandas import DataFrame

from scalp_strategy.base_rate_desk import Downloaded, Shown
from scalp_strategy.errors import ConfigError, RateLimited, SourceUnavailable
from scalp_strategy.journal.instants import epoch_ms
from scalp_strategy.outcomes.replay import MINUTE_MS, PRICES, History, history_of

logger = logging.getLogger(__name__)

Timeframe = Literal["1m", "5m", "15m"]
TIMEFRAMES: Final[Mapping[Timeframe, int]] = {"1m": 1, "5m": 5, "15m": 15}  # the finest first

_FUTURES_PAGE: Final = 499  # costs less than half of the weight of 500
_SPOT_PAGE: Final = 1_000
_MOST_PAGES: Final = 8  # of one answer; what is missing then is asked for the next time
_ROW_WIDTH: Final = 1 + len(PRICES)
# What opens an account: this client reads public candles and is given none of it.
_SECRETS: Final = (
    "apiKey",
    "secret",
    "password",
    "uid",
    "accountId",
    "login",
    "token",
    "twofa",
    "walletAddress",
    "privateKey",
)
_LATER: Final = (ccxt.RateLimitExceeded, ccxt.DDoSProtection)


class MemoryCandles:
    """The candles that the bot has in memory anyway.

    Parameters
    ----------
    shown
        Gives the closed candles of a pair and timeframe, None where there are none.
    """

    def __init__(self, shown: Shown) -> None:
        self._shown = shown

    def history(self, pair: str, timeframe: Timeframe, now: datetime) -> History | None:
        """Return the candles that had closed by now, None where there are none."""
        try:
            frame = self._shown(pair, timeframe)
        except RuntimeError:
            # The trading loop was changing what is looked at; there is another look.
            return None
        if frame is None or frame.empty:
            return None
        return history_of(frame, TIMEFRAMES[timeframe]).closed_by(now)


class ExchangeCandles:
    """Asks the exchange for past candles, with a client of its own that holds no keys.

    Parameters
    ----------
    config
        The host's configuration: exchange and how it is reached.
    markets
        Gives the host's market definitions, so that the client asks for none.

    Notes
    -----
    For one thread at a time. The client is made at the first question.
    """

    def __init__(self, config: Mapping[str, Any], markets: Callable[[], Mapping[str, Any]]) -> None:
        self._config = config
        self._markets = markets
        self._client: Any = None
        self._known: dict[str, Any] = {}
        is_futures = config.get("trading_mode") == "futures"
        self._page = _FUTURES_PAGE if is_futures else _SPOT_PAGE

    def history(self, pair: str, timeframe: Timeframe, since: datetime, until: datetime) -> History:
        """Return the candles that opened from one instant on and had closed by another.

        A long span takes several requests; what those before a failing one gave is returned.

        Raises
        ------
        RateLimited
            When the exchange wants a pause.
        SourceUnavailable
            When it did not answer, has no such pair or no candle since then.
        """
        span_ms = epoch_ms(since), epoch_ms(until)
        rows, known_ms = self._rows(pair, timeframe, span_ms)
        if not rows:
            raise SourceUnavailable(f"the exchange has no {timeframe} candles of {pair}")
        found = _of_rows(rows, TIMEFRAMES[timeframe])
        return found._replace(since_ms=span_ms[0], until_ms=known_ms).closed_by(until)

    def _rows(
        self, pair: str, timeframe: Timeframe, span_ms: tuple[int, int]
    ) -> tuple[list[list[Any]], int]:
        """Return rows of candles, and up to when there are no others."""
        length = TIMEFRAMES[timeframe] * MINUTE_MS
        rows: list[list[Any]] = []
        at_ms, until_ms = span_ms
        for _ in range(_MOST_PAGES):
            limit = min(self._page, max(1, (until_ms - at_ms) // length + 1))
            try:
                page = self._page_of(pair, timeframe, at_ms, limit)
            except SourceUnavailable:
                if not rows:
                    raise
                break
            rows += page
            # A short page may be an exchange's own limit: only an empty one says that it ends.
            at_ms = int(page[-1][0]) + length if page else until_ms
            if at_ms >= until_ms:
                break
        return rows, at_ms

    def _page_of(self, pair: str, timeframe: str, at_ms: int, limit: int) -> list[list[Any]]:
        client = self._client_for(pair)
        try:
            rows = client.fetch_ohlcv(pair, timeframe, since=at_ms, limit=limit)
        except _LATER as error:
            raise RateLimited(f"the exchange wants a pause: {type(error).__name__}") from error
        except ccxt.BaseError as error:
            # Its text holds the address asked, which nobody needs to read.
            raise SourceUnavailable(
                f"no {timeframe} candles of {pair}: {type(error).__name__}"
            ) from error
        # An exchange that does not know the start begins with what it has.
        return [row for row in rows if _is_row(row) and row[0] >= at_ms]

    def _client_for(self, pair: str) -> Any:
        if self._client is None:
            self._client = keyless_client(self._config)
        if pair not in self._known:
            market = self._markets().get(pair)
            if market is None:
                raise SourceUnavailable(f"the exchange does not list {pair}")
            self._known[pair] = deepcopy(market)
            self._client.set_markets(list(self._known.values()))
        return self._client


def keyless_client(config: Mapping[str, Any]) -> Any:
    """Return a synchronous ccxt client for the host's exchange, reached as the host reaches it.

    It is given addresses, options, proxies and rate limit of the host's `ccxt_config` and
    `ccxt_sync_config`, and none of its keys.

    Raises
    ------
    ConfigError
        When ccxt knows no such exchange.
    """
    exchange = config.get("exchange", {})
    is_futures = config.get("trading_mode") == "futures"
    given: dict[str, Any] = {"options": {"defaultType": "swap"}} if is_futures else {}
    for section in ("ccxt_config", "ccxt_sync_config"):
        given = deep_merge_dicts(deepcopy(dict(exchange.get(section, {}))), given)
    kept = {name: value for name, value in given.items() if name not in _SECRETS}
    make = getattr(ccxt, str(exchange.get("name", "")).lower(), None)
    if make is None:
        raise ConfigError(f"exchange.name = {exchange.get('name')!r}: ccxt knows no such exchange")
    return make({"enableRateLimit": True, **kept})


class DiskCandles:
    """The candles that the host has downloaded.

    Parameters
    ----------
    downloaded
        Reads them, from an instant on.
    since
        What is older is not read.
    """

    def __init__(self, downloaded: Downloaded, since: datetime) -> None:
        self._downloaded = downloaded
        self._since = since

    def histories(self, pair: str) -> list[History]:
        """Return a pair's candles of each length that there is, the finest first."""
        frames = {name: self._frame(pair, name) for name in TIMEFRAMES}
        return [
            history_of(frame, TIMEFRAMES[name])
            for name, frame in frames.items()
            if frame is not None and not frame.empty
        ]

    def _frame(self, pair: str, timeframe: Timeframe) -> DataFrame | None:
        return self._downloaded(pair, timeframe, self._since)


def _is_row(row: Any) -> bool:
    return isinstance(row, list) and len(row) >= _ROW_WIDTH and isinstance(row[0], int)


def _of_rows(rows: list[list[Any]], minutes: int) -> History:
    opens = np.array([row[0] for row in rows], dtype=np.int64)
    prices = np.array([row[1:_ROW_WIDTH] for row in rows], dtype=np.float64)
    return History.of(minutes, opens, prices.reshape(-1, len(PRICES)).T)

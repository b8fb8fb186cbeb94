"""Which part of the generated market to show: one in which a signal comes early.

The market is a pure function of seed, symbol and time. Shifting it by whole days gives another
stretch at the same time of day. The search looks at stretch after stretch, half an hour into its
future, until the candle that the paper trader will see holds an entry.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import httpx
import numpy as np
from pandas import DataFrame, concat, to_datetime

from scalp_strategy.confluence import confluence
from scalp_strategy.entries import entry_columns, stop_columns
from scalp_strategy.errors import SourceUnavailable
from scalp_strategy.settings import Settings, with_overrides
from scalp_strategy.technical import lookback, technical_layer

_AHEAD_MINUTES: Final = 30
_LOWER_CANDLES: Final = 400
_ROWS_PER_CALL: Final = 1_000
_CANDLE: Final = timedelta(minutes=15)
_ENTRY_MINUTES: Final = 4  # how long after the bot's start the price must stay near the signal
_DRIFT_MARGIN: Final = 0.6  # share of the allowed drift that the search accepts
_SCORE_MARGIN: Final = 2.0  # points for what the past of a setup, unknown to the search, may take


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of the generated market and what the paper trader will see in it."""

    shift_days: int
    pair: str
    close: datetime


class Market:
    """The replay market's control and candles.

    Parameters
    ----------
    client
        An HTTP client whose base URL is the market's.
    """

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def shift(self, days: int, minutes: int = 0) -> None:
        """Show another stretch of the market."""
        body = {"days": days, "minutes": minutes}
        try:
            self._client.post("/control/shift", json=body).raise_for_status()
        except httpx.HTTPError as error:
            raise SourceUnavailable(f"the replay market: {error}") from error

    def candles(self, symbol: str, timeframe: str, count: int) -> DataFrame:
        """Return the last closed candles of a USD-M symbol, in Freqtrade's columns."""
        rows: list[list[Any]] = []
        end: int | None = None
        while len(rows) < count:
            query: dict[str, Any] = {"symbol": symbol, "interval": timeframe}
            query["limit"] = min(_ROWS_PER_CALL, count + 1 - len(rows))
            if end is not None:
                query["endTime"] = end
            page = self._page(query)
            if not page:
                break
            rows = [*page, *rows]
            end = int(page[0][0]) - 1
        return _frame(rows[:-1])

    def _page(self, query: dict[str, Any]) -> list[list[Any]]:
        try:
            answer = self._client.get("/fapi/v1/klines", params=query)
            answer.raise_for_status()
            page: list[list[Any]] = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise SourceUnavailable(f"the replay market: {error}") from error
        return page


def find_stretch(
    market: Market, pairs: list[str], close: datetime, seen_at: datetime, attempts: int
) -> Stretch:
    """Return the first stretch in which the candle closing at `close` gives an entry.

    Parameters
    ----------
    market
        The replay market; left shifted to the stretch found.
    pairs
        Pairs to look at.
    close
        The close of the candle that the paper trader will decide on.
    seen_at
        When it will, about.
    attempts
        Days to try.

    Raises
    ------
    SourceUnavailable
        When no day tried gives one.
    """
    threshold = Settings().confluence.medium_threshold + _SCORE_MARGIN
    settings = with_overrides(Settings(), {"confluence.medium_threshold": threshold})
    for days in range(attempts):
        market.shift(days=-days, minutes=_AHEAD_MINUTES)
        for pair in pairs:
            if _has_entry(market, pair, close, seen_at, settings):
                market.shift(days=-days)
                return Stretch(-days, pair, close)
    raise SourceUnavailable(f"no signal at {close:%H:%M} UTC in {attempts} days of the market")


def _has_entry(
    market: Market, pair: str, close: datetime, seen_at: datetime, settings: Settings
) -> bool:
    symbol = pair.split("/", maxsplit=1)[0] + "USDT"
    ahead = timedelta(minutes=_AHEAD_MINUTES)
    frames = {
        timeframe: _moved(market.candles(symbol, timeframe, count), ahead)
        for timeframe, count in {
            "15m": lookback(settings) + 10,
            "5m": _LOWER_CANDLES,
            "1m": _LOWER_CANDLES,
        }.items()
    }
    scored = _scored(frames, settings)
    rows = scored[scored["date"] == close - _CANDLE]
    if rows.empty or not (rows["enter_long"].iloc[0] or rows["enter_short"].iloc[0]):
        return False
    price, distance = float(rows["close"].iloc[0]), float(rows["sl_pct"].iloc[0]) / 100
    minutes = frames["1m"]
    is_seen = (minutes["date"] >= max(close, seen_at) - timedelta(minutes=1)) & (
        minutes["date"] < max(close, seen_at) + timedelta(minutes=_ENTRY_MINUTES)
    )
    drift_r = np.abs(minutes.loc[is_seen, "close"] / price - 1) / distance
    return bool((drift_r <= settings.risk.max_entry_drift_r * _DRIFT_MARGIN).all())


def _scored(frames: dict[str, DataFrame], settings: Settings) -> DataFrame:
    candles = frames["15m"]
    frame = concat(
        [candles, technical_layer(candles, frames["5m"], frames["1m"], settings)], axis=1
    )
    frame = concat([frame, DataFrame(stop_columns(frame, settings), index=frame.index)], axis=1)
    frame = concat([frame, confluence(frame, settings)], axis=1)
    return concat([frame, entry_columns(frame, settings, can_short=True)], axis=1)


def _moved(candles: DataFrame, ahead: timedelta) -> DataFrame:
    return candles.assign(date=candles["date"] + ahead)


def _frame(rows: list[list[Any]]) -> DataFrame:
    columns = ("date", "open", "high", "low", "close", "volume")
    frame = DataFrame([row[: len(columns)] for row in rows], columns=list(columns))
    frame["date"] = to_datetime(frame["date"].astype("int64"), unit="ms", utc=True)
    return frame.astype(dict.fromkeys(columns[1:], "float64"))

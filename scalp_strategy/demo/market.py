"""The replay market as the demo drives it: its candles, and what is set in it."""

from datetime import datetime
from typing import Any, Final

import httpx
from pandas import DataFrame, to_datetime

from scalp_strategy.errors import SourceUnavailable

_ROWS_PER_CALL: Final = 1_000


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
        self._control("shift", days=days, minutes=minutes)

    def script(self, **fact: Any) -> None:
        """Set something in the world outside the market."""
        self._control("outside", **fact)

    def press(self, pair: str, buy_share: float, since: datetime, minutes: float) -> None:
        """Let takers of a pair buy with a chance, for a while."""
        at_ms = round(since.timestamp() * 1_000)
        self._control(
            "flow", symbol=symbol_of(pair), buy_share=buy_share, at=at_ms, minutes=minutes
        )

    def candles(self, pair: str, timeframe: str, count: int) -> DataFrame:
        """Return the last closed candles of a USD-M pair, in Freqtrade's columns."""
        rows: list[list[Any]] = []
        end: int | None = None
        while len(rows) <= count:
            query: dict[str, Any] = {"symbol": symbol_of(pair), "interval": timeframe}
            query["limit"] = min(_ROWS_PER_CALL, count + 1 - len(rows))
            if end is not None:
                query["endTime"] = end
            page = self._page(query)
            if not page:
                break
            rows = [*page, *rows]
            end = int(page[0][0]) - 1
        return _frame(rows[:-1])

    def _control(self, name: str, **body: Any) -> None:
        try:
            self._client.post(f"/control/{name}", json=body).raise_for_status()
        except httpx.HTTPError as error:
            raise SourceUnavailable(f"the replay market: {error}") from error

    def _page(self, query: dict[str, Any]) -> list[list[Any]]:
        try:
            answer = self._client.get("/fapi/v1/klines", params=query)
            answer.raise_for_status()
            page: list[list[Any]] = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise SourceUnavailable(f"the replay market: {error}") from error
        return page


def symbol_of(pair: str) -> str:
    """Return the exchange's name of a pair."""
    return base_of(pair) + "USDT"


def base_of(pair: str) -> str:
    """Return the token that a pair trades."""
    return pair.split("/", maxsplit=1)[0]


def _frame(rows: list[list[Any]]) -> DataFrame:
    columns = ("date", "open", "high", "low", "close", "volume")
    frame = DataFrame([row[: len(columns)] for row in rows], columns=list(columns))
    frame["date"] = to_datetime(frame["date"].astype("int64"), unit="ms", utc=True)
    return frame.astype(dict.fromkeys(columns[1:], "float64"))

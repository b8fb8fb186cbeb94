"""FRED, Yahoo's chart and Alpha Vantage: the levels of `levels`, as each service tells them.

Shapes: https://fred.stlouisfed.org/docs/api/fred/series_observations.html and
https://www.alphavantage.co/documentation/; Yahoo documents none.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, NamedTuple

from external_layers.replay.answer import Answer
from external_layers.replay.outside.asked import Asked, Refused, demand, unknown
from external_layers.replay.outside.levels import (
    BAR_MS,
    DOLLAR,
    SP500,
    VIX,
    YIELD,
    Level,
    Levels,
    weekdays,
)
from external_layers.replay.outside.scene import DAY_MS, Scene
from external_layers.replay.outside.walks import unit

_MS_PER_S: Final = 1_000
_HOLIDAYS: Final = ((1, 1), (7, 4), (12, 25))
_MISSING: Final = "."
_FIRST_DAY: Final = date(2015, 1, 2)
_MOST: Final = 100_000  # observations of an answer
_COMPACT: Final = 100  # days of a fund's answer
_GAPS: Final = 0.01  # share of the bars that have no price


class _Series(NamedTuple):
    """A series of FRED; it comes out on the next business day, or on a weekday of the next week."""

    level: Level
    digits: int
    has_vintages: bool
    weekday: int | None = None


_FRED: Final = {
    "SP500": _Series(SP500, 2, has_vintages=False),
    "VIXCLS": _Series(VIX, 2, has_vintages=False),
    "DGS10": _Series(YIELD, 2, has_vintages=True),
    "DTWEXBGS": _Series(DOLLAR, 4, has_vintages=True, weekday=0),
}
# Yahoo's symbol -> its level over the daily series'.
_CHARTS: Final = {"ES=F": (SP500, 1.004), "DX-Y.NYB": (DOLLAR, 0.82)}
_FUNDS: Final = {"SPY": (SP500, 0.0996), "UUP": (DOLLAR, 0.23)}


class Macro:
    """The services."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._levels = Levels(scene)

    # ---- FRED ----

    def fred(self, asked: Asked) -> Answer:
        """Answer as FRED, and as ALFRED where vintages are asked for."""
        words = "Bad Request. The value for variable api_key is not registered."
        demand(asked.params.get("api_key", ""), {"error_code": 401, "error_message": words})
        if asked.path != "/fred/series/observations":
            raise unknown(asked)
        series = _FRED.get(asked.params.get("series_id", ""))
        if series is None or asked.params.get("file_type") != "json":
            raise Refused(400, _bad("The series does not exist."))
        today = _day_of(self._scene.now_ms)
        is_vintage = "realtime_start" in asked.params
        if is_vintage and not series.has_vintages:
            raise Refused(400, _bad("The series does not exist in ALFRED but may exist in FRED."))
        window = (_date(asked, "realtime_start", today), _date(asked, "realtime_end", today))
        days = self._days(series, asked, window[1])
        if asked.params.get("sort_order", "asc") == "desc":
            days.reverse()
        page = days[: asked.whole("limit", _MOST, _MOST)]
        return Answer(
            {
                "realtime_start": window[0].isoformat(),
                "realtime_end": window[1].isoformat(),
                "output_type": 1,
                "file_type": "json",
                "order_by": "observation_date",
                "count": len(days),
                "offset": 0,
                "observations": [self._observation(series, day, window) for day in page],
            }
        )

    def _days(self, series: _Series, asked: Asked, until: date) -> list[date]:
        """Return the days that were known at a time, oldest first."""
        today = _day_of(self._scene.now_ms)
        first = max(_date(asked, "observation_start", _FIRST_DAY), _FIRST_DAY)
        last = min(_date(asked, "observation_end", today), today)
        known_by = min(until, today)
        return [day for day in weekdays(first, last) if _published(series, day) <= known_by]

    def _observation(self, series: _Series, day: date, window: tuple[date, date]) -> dict[str, Any]:
        value = _MISSING
        if (day.month, day.day) not in _HOLIDAYS:
            value = f"{self._levels.daily(series.level, day):.{series.digits}f}"
        return {
            "realtime_start": max(_published(series, day), window[0]).isoformat(),
            "realtime_end": window[1].isoformat(),
            "date": day.isoformat(),
            "value": value,
        }

    # ---- Yahoo ----

    def yahoo(self, asked: Asked) -> Answer:
        """Answer as Yahoo's chart of one symbol: bars of five minutes, a few without a price."""
        symbol = asked.path.removeprefix("/v8/finance/chart/")
        if symbol not in _CHARTS:
            error = {"code": "Not Found", "description": "No data found, symbol may be delisted"}
            raise Refused(404, {"chart": {"result": None, "error": error}})
        level, scale = _CHARTS[symbol]
        now_ms = self._scene.now_ms
        starts = range((now_ms - DAY_MS) // BAR_MS * BAR_MS + BAR_MS, now_ms + 1, BAR_MS)
        closes = [
            round(self._levels.within_day(level, min(start + BAR_MS, now_ms + 1) - 1) * scale, 3)
            for start in starts
        ]
        price = closes[-1]
        told: list[float | None] = [
            None if unit(self._scene.seed, "gap", symbol, start) < _GAPS else close
            for start, close in zip(starts[:-1], closes[:-1], strict=True)
        ]
        told.append(price)
        quote = dict.fromkeys(("open", "high", "low", "close"), told)
        result = {
            "meta": {
                "currency": "USD",
                "symbol": symbol,
                "exchangeName": "CME" if symbol == "ES=F" else "NYB",
                "instrumentType": "FUTURE" if symbol == "ES=F" else "INDEX",
                "regularMarketTime": now_ms // _MS_PER_S,
                "gmtoffset": -14_400,
                "timezone": "EDT",
                "exchangeTimezoneName": "America/New_York",
                "regularMarketPrice": price,
                "chartPreviousClose": closes[0],
                "priceHint": 2,
                "dataGranularity": "5m",
                "range": "1d",
            },
            "timestamp": [start // _MS_PER_S for start in starts],
            "indicators": {"quote": [quote | {"volume": [1_000 for _ in starts]}]},
        }
        return Answer({"chart": {"result": [result], "error": None}})

    # ---- Alpha Vantage ----

    def alpha_vantage(self, asked: Asked) -> Answer:
        """Answer as Alpha Vantage."""
        words = "the parameter apikey is invalid or missing."
        demand(asked.params.get("apikey", ""), {"Error Message": words})
        if asked.path != "/query":
            raise unknown(asked)
        function, symbol = asked.params.get("function"), asked.params.get("symbol", "")
        today = _day_of(self._scene.now_ms)
        days = weekdays(today - timedelta(days=_COMPACT * 2), today)[-_COMPACT:][::-1]
        if function == "TREASURY_YIELD":
            rows = [
                {"date": day.isoformat(), "value": f"{self._levels.daily(YIELD, day):.2f}"}
                for day in days[1:]
            ]
            name = "10-Year Treasury Constant Maturity Rate"
            return Answer({"name": name, "interval": "daily", "unit": "percent", "data": rows})
        if function == "TIME_SERIES_DAILY" and symbol in _FUNDS:
            return Answer(self._fund(symbol, days))
        return Answer({"Error Message": "Invalid API call. Please retry."})

    def _fund(self, symbol: str, days: list[date]) -> dict[str, Any]:
        level, scale = _FUNDS[symbol]
        bars = {}
        for day in days:
            price = f"{self._levels.daily(level, day) * scale:.4f}"
            names = ("1. open", "2. high", "3. low", "4. close")
            bars[day.isoformat()] = dict.fromkeys(names, price) | {"5. volume": "70000000"}
        return {
            "Meta Data": {
                "1. Information": "Daily Prices (open, high, low, close) and Volumes",
                "2. Symbol": symbol,
                "3. Last Refreshed": days[0].isoformat(),
                "4. Output Size": "Compact",
                "5. Time Zone": "US/Eastern",
            },
            "Time Series (Daily)": bars,
        }


def _day_of(at_ms: int) -> date:
    return datetime.fromtimestamp(at_ms // _MS_PER_S, UTC).date()


def _date(asked: Asked, name: str, default: date) -> date:
    given = asked.params.get(name)
    if given is None:
        return default
    try:
        return date.fromisoformat(given)
    except ValueError:
        raise Refused(400, _bad(f"Variable {name} is not a YYYY-MM-DD date.")) from None


def _bad(words: str) -> dict[str, Any]:
    return {"error_code": 400, "error_message": f"Bad Request. {words}"}


def _published(series: _Series, day: date) -> date:
    """Return the day on which an observation came out: the next, or the weekday after its week."""
    if series.weekday is None:
        return day + timedelta(days=3 if day.weekday() == 4 else 1)
    return day + timedelta(days=7 - day.weekday() + series.weekday)

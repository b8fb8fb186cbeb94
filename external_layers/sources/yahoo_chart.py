"""Yahoo's chart: the S&P 500 future and the dollar index within the day, as best effort.

The endpoint is unofficial and undocumented, changes without notice and often answers 429: nothing
may depend on it. Readings have the source's name as subject, for changes are computed within one
source only: what others call the S&P 500 has another level.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from external_layers.sources.facts import DOLLAR_INDEX_NOW, SP500_NOW, Fact, Reading
from external_layers.sources.parts import facts_of_parts
from external_layers.sources.reading import mapping, ms_of_seconds, number, part, past_ms, rows
from external_layers.sources.spec import CallRate, Client, FetchContext, Provider, SourceSpec
from scalp_strategy.errors import PayloadError

SPEC: Final = SourceSpec(
    name="yahoo_chart",
    provider=Provider(
        name="yahoo",
        url="https://query1.finance.yahoo.com",
        rates=(CallRate(4, 60.0), CallRate(400, 86_400.0)),
        licence="unofficial; personal use, no redistribution",
        docs="https://legal.yahoo.com/us/en/yahoo/terms/otos/index.html",
    ),
    layer="sentiment",
    feeds=("macro_correlation",),
    every_s=900.0,
    calls=2,
    history="none",
    honesty="Bars within the day are kept for weeks only; a backtest knows no hourly macro move.",
)
SYMBOLS: Final[Mapping[str, str]] = {"ES=F": SP500_NOW, "DX-Y.NYB": DOLLAR_INDEX_NOW}
_PARAMS: Final = {"interval": "5m", "range": "1d"}
_BAR_MS: Final = 300_000
_KEPT: Final = 36  # bars: three hours


def parse(payload: Any, received_ms: int) -> list[Reading]:
    """Return the closes of the last three hours; which series they are, the symbol says.

    A bar's close is of its end, that of the bar that still runs is of the last trade. Without bars
    the last trade alone is returned.

    Raises
    ------
    PayloadError
        When it is no such answer, or there is no price in it.
    """
    results = rows(part(payload, "chart", "result"), "yahoo_chart")
    result = results[0] if results else {}
    meta = mapping(result.get("meta"), "yahoo_chart")
    symbol = meta.get("symbol")
    if not isinstance(symbol, str) or symbol not in SYMBOLS:
        raise PayloadError("yahoo_chart: neither of the symbols")
    prices = _closes(result, meta, received_ms) or _last_trade(meta, received_ms)
    if not prices:
        raise PayloadError(f"yahoo_chart: no price of {symbol}")
    return [
        Reading(SYMBOLS[symbol], SPEC.name, price, observed_ms, received_ms)
        for observed_ms, price in sorted(prices.items())[-_KEPT:]
    ]


async def fetch(client: Client, context: FetchContext) -> list[Fact]:
    """Return both series; when one fails the other is delivered all the same."""

    async def ask(symbol: str) -> list[Reading]:
        reply = await client.get(f"/v8/finance/chart/{symbol}", _PARAMS)
        return parse(reply.json(), reply.received_ms)

    return await facts_of_parts(context, {symbol: partial(ask, symbol) for symbol in SYMBOLS})


def _closes(
    result: Mapping[str, Any], meta: Mapping[str, Any], received_ms: int
) -> dict[int, float]:
    starts, quotes = result.get("timestamp"), part(result, "indicators", "quote")
    closes = part(quotes[0], "close") if isinstance(quotes, list) and quotes else None
    if not isinstance(starts, list) or not isinstance(closes, list):
        return {}
    traded_ms = past_ms(ms_of_seconds(meta.get("regularMarketTime")), received_ms) or received_ms
    found = {}
    for start, close in zip(starts, closes, strict=False):
        start_ms, price = past_ms(ms_of_seconds(start), received_ms), number(close)
        if start_ms is not None and price > 0.0:
            found[min(start_ms + _BAR_MS, max(start_ms, traded_ms))] = price
    return found


def _last_trade(meta: Mapping[str, Any], received_ms: int) -> dict[int, float]:
    traded_ms = past_ms(ms_of_seconds(meta.get("regularMarketTime")), received_ms)
    price = number(meta.get("regularMarketPrice"))
    return {traded_ms: price} if traded_ms is not None and price > 0.0 else {}

"""DefiLlama: how many stablecoins there are, day by day and now.

The chart is a row a day, dated at the start of its UTC day, of all stablecoins together; the list
has the amounts of each as they are. Both are asked every half hour, some 100 calls a day.

The shapes are those of https://api-docs.defillama.com (stablecoins).
"""

from collections.abc import Mapping
from math import isnan, nan
from typing import Any, Final

from external_layers.sources.facts import MARKET, STABLECOIN_SUPPLY, Reading
from external_layers.sources.reading import (
    mapping,
    ms_of_seconds,
    number,
    part,
    past_ms,
    rows,
    some,
    ticker,
)
from external_layers.sources.spec import CallRate, Client, FetchContext, Provider, SourceSpec

SPEC: Final = SourceSpec(
    name="defillama",
    provider=Provider(
        name="defillama",
        url="https://stablecoins.llama.fi",
        rates=(CallRate(10, 60.0),),
        licence="free API without key; attribution",
        docs="https://api-docs.defillama.com",
        max_mb=24.0,
    ),
    layer="onchain",
    feeds=("stablecoin_flow",),
    every_s=1_800.0,
    timeout_s=60.0,
    history="revised",
    honesty="Past days are recomputed when a coin or a chain is added, so they may have changed.",
    calls=2,
)
CHART: Final = "/stablecoincharts/all"
_SINGLE: Final = ("USDT", "USDC")
_RECENT: Final = 9  # days of the chart that are told live: today, and a week to compare with
_DAY_MS: Final = 86_400_000
_MS_PER_S: Final = 1_000


def parse(payload: Any, received_ms: int) -> list[Reading]:
    """Return the readings of `/stablecoincharts/all` (the newest days) or of `/stablecoins`.

    Raises
    ------
    PayloadError
        When it is neither, or no row of it is readable.
    """
    if isinstance(payload, list):
        return [
            Reading(STABLECOIN_SUPPLY, MARKET, value, day_ms, received_ms)
            for day_ms, value in _days(payload)[-_RECENT:]
            if past_ms(day_ms, received_ms) is not None
        ]
    return _singles(payload, received_ms)


def history(payload: Any, delay_s: float) -> list[Reading]:
    """Return the whole chart as it could be known.

    Parameters
    ----------
    payload
        The answer of `/stablecoincharts/all`.
    delay_s
        Seconds from the start of a UTC day until its value counts as known.

    Raises
    ------
    PayloadError
        When it is no such answer, or no row of it is readable.
    """
    wait_ms = round(delay_s * _MS_PER_S)
    return [
        Reading(STABLECOIN_SUPPLY, MARKET, value, day_ms, day_ms + wait_ms)
        for day_ms, value in _days(payload)
    ]


async def fetch(client: Client, _context: FetchContext) -> list[Reading]:
    """Return the newest days of all stablecoins, and what there is of USDT and USDC now."""
    chart = await client.get(CHART)
    found = parse(chart.json(), chart.received_ms)
    each = await client.get("/stablecoins", {"includePrices": "false"})
    return [*found, *parse(each.json(), each.received_ms)]


def _days(payload: Any) -> list[tuple[int, float]]:
    """Return start of day and US dollars, in order of time, a day once."""
    found = rows(payload, SPEC.name)
    days = {
        day_ms - day_ms % _DAY_MS: total
        for row in found
        if (day_ms := ms_of_seconds(row.get("date"))) is not None
        and not isnan(total := _total(row.get("totalCirculatingUSD")))
    }
    some(list(days), found, SPEC.name)
    return sorted(days.items())


def _total(pegs: Any) -> float:
    """Return the sum over the currencies that coins are pegged to; NaN when nothing is known."""
    amounts = [number(each) for each in pegs.values()] if isinstance(pegs, Mapping) else []
    known = [each for each in amounts if each >= 0]
    total = number(sum(known))
    return total if known and total > 0 else nan


def _singles(payload: Any, received_ms: int) -> list[Reading]:
    found = rows(mapping(payload, SPEC.name).get("peggedAssets"), SPEC.name)
    amounts = {ticker(row.get("symbol")): _circulating(row) for row in reversed(found)}
    some([each for each in amounts.values() if not isnan(each)], found, SPEC.name)
    return [
        Reading(STABLECOIN_SUPPLY, token, amounts[token], received_ms, received_ms)
        for token in _SINGLE
        if not isnan(amounts.get(token, nan))
    ]


def _circulating(row: Mapping[str, Any]) -> float:
    amount = number(part(row, "circulating", "peggedUSD"))
    return amount if amount > 0 else nan

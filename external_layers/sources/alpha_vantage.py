"""Alpha Vantage: daily closes that stand in for macro series where FRED has no key.

It has no indices, so funds stand in for them: SPY for the S&P 500, UUP for the dollar. A fund's
level is not the index's, and it drops by its dividends; so readings have the source's name as
subject, and changes are computed within one source only. The shapes are those of
https://www.alphavantage.co/documentation/. A used-up budget is told in a text with status 200,
which quotes the key: it is never repeated.
"""

from collections.abc import Mapping
from typing import Any, Final

from external_layers.sources.facts import DOLLAR_INDEX, SP500, TREASURY_10Y, Reading
from external_layers.sources.reading import mapping, ms_of_iso, number, part, rows, some
from external_layers.sources.spec import (
    CallRate,
    Client,
    FetchContext,
    Params,
    Provider,
    Reply,
    SourceSpec,
)
from scalp_strategy.errors import PayloadError, RateLimited, SourceRejected

KEY: Final = "ALPHA_VANTAGE_API_KEY"
SPEC: Final = SourceSpec(
    name="alpha_vantage",
    provider=Provider(
        name="alpha_vantage",
        url="https://www.alphavantage.co",
        rates=(CallRate(1, 2.0), CallRate(24, 86_400.0)),  # 1 a second and 25 a day are allowed
        licence="free key; personal use",
        docs="https://www.alphavantage.co/terms_of_service/",
    ),
    layer="sentiment",
    feeds=("macro_correlation",),
    every_s=14_400.0,
    timeout_s=60.0,
    calls=3,
    history="revised",
    honesty="The last 100 days are free, without vintages, of funds that stand in for indices.",
    keys=(KEY,),
    needs_key=True,
)
FUNDS: Final[Mapping[str, str]] = {"SPY": SP500, "UUP": DOLLAR_INDEX}
_QUESTIONS: Final[tuple[Params, ...]] = (
    *({"function": "TIME_SERIES_DAILY", "symbol": fund, "outputsize": "compact"} for fund in FUNDS),
    {"function": "TREASURY_YIELD", "interval": "daily", "maturity": "10year"},
)
_KEPT: Final = 10  # days
_DAY_MS: Final = 86_400_000


def parse(payload: Any, received_ms: int) -> list[Reading]:
    """Return the last ten whole days of an answer; which series they are, the answer says.

    Raises
    ------
    PayloadError
        When it is no such answer, or no day of it is readable.
    """
    answer = mapping(payload, "alpha_vantage")
    series, given = _yields(answer) if "data" in answer else _closes(answer)
    days = [
        (day_ms, value)
        for written, number_text in given
        if (day_ms := ms_of_iso(written)) is not None and (value := number(number_text)) > 0.0
    ]
    some(days, given, "alpha_vantage")
    whole = sorted(day for day in days if day[0] + _DAY_MS <= received_ms)
    return [
        Reading(series, SPEC.name, value, day_ms, received_ms) for day_ms, value in whole[-_KEPT:]
    ]


async def fetch(client: Client, context: FetchContext) -> list[Reading]:
    """Return the last days of all three series, asked one after the other.

    Raises
    ------
    RateLimited
        When the day's calls are used up; what came before is delivered.
    SourceRejected
        When the key is refused.
    """
    for question in _QUESTIONS:
        reply = await client.get("/query", {**question, "apikey": context.keys[KEY]})
        context.deliver(parse(_answer(reply), reply.received_ms))
    return []


def _answer(reply: Reply) -> Any:
    payload = reply.json()
    if isinstance(payload, Mapping):
        if "Note" in payload or "Information" in payload:
            raise RateLimited("alpha_vantage: the calls of the day are used up")
        if "Error Message" in payload:
            raise SourceRejected("alpha_vantage: refuses the key or the question")
    return payload


def _closes(answer: Mapping[str, Any]) -> tuple[str, list[tuple[Any, Any]]]:
    symbol = part(answer, "Meta Data", "2. Symbol")
    if not isinstance(symbol, str) or symbol not in FUNDS:
        raise PayloadError("alpha_vantage: none of the funds")
    days = mapping(answer.get("Time Series (Daily)"), "alpha_vantage")
    return FUNDS[symbol], [(day, part(bar, "4. close")) for day, bar in days.items()]


def _yields(answer: Mapping[str, Any]) -> tuple[str, list[tuple[Any, Any]]]:
    name = answer.get("name")
    if not isinstance(name, str) or not name.startswith("10-Year Treasury"):
        raise PayloadError("alpha_vantage: not the ten-year yield")
    given = rows(answer["data"], "alpha_vantage")
    return TREASURY_10Y, [(row.get("date"), row.get("value")) for row in given]

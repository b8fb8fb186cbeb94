"""Alpha Vantage: whole days of stand-ins, and refusals that quote the key."""

import asyncio
from typing import Any

import pytest

from external_layers.sources.alpha_vantage import KEY, SPEC, fetch, parse
from external_layers.sources.facts import DOLLAR_INDEX, SP500, TREASURY_10Y
from scalp_strategy.errors import PayloadError, RateLimited, SourceRejected
from tests.support.asked import NOW_MS, ScriptedClient, context_of

SECRET = "K3YSECRET"  # noqa: S105 - made up
YIELD_NAME = "10-Year Treasury Constant Maturity Rate"


def closes(symbol: Any = "SPY", **days: Any) -> dict[str, Any]:
    bars = {day.replace("_", "-")[1:]: {"4. close": close} for day, close in days.items()}
    return {"Meta Data": {"2. Symbol": symbol}, "Time Series (Daily)": bars}


def yields(*days: tuple[Any, Any], name: Any = YIELD_NAME) -> dict[str, Any]:
    return {"name": name, "data": [{"date": day, "value": value} for day, value in days]}


def told(client: ScriptedClient) -> tuple[list[Any], Exception | None]:
    context = context_of({KEY: SECRET})
    try:
        asyncio.run(fetch(client, context))
    except (RateLimited, SourceRejected) as error:
        return context.delivered, error
    return context.delivered, None


def test_a_day_counts_once_it_is_over() -> None:
    found = parse(closes(d2026_05_28="771", d2026_05_27="769.1", d2026_05_26="774.5"), NOW_MS)
    assert [one.value for one in found] == [774.5, 769.1]
    assert {(one.series, one.subject) for one in found} == {(SP500, "alpha_vantage")}
    assert found[-1].observed_at_ms == 1_779_840_000_000  # 2026-05-27
    assert {one.available_at_ms for one in found} == {NOW_MS}


def test_ten_days_are_kept() -> None:
    days = [(f"2026-04-{day:02}", "4.3") for day in range(30, 0, -1)]
    found = parse(yields(*days, ("2026-05-01", ".")), NOW_MS)
    assert (len(found), found[0].series) == (10, TREASURY_10Y)
    assert parse(closes("UUP", d2026_05_27="27"), NOW_MS)[0].series == DOLLAR_INDEX


@pytest.mark.parametrize(
    "payload",
    [
        None, {}, closes("QQQ", d2026_05_27="1"), closes(["SPY"]), closes(d2026_05_27="x"),
        closes(d2026_99_27="1"), yields(("2026-05-27", "4"), name="2-Year Treasury"),
        yields(("2026-05-27", "4"), name=None), {"name": YIELD_NAME, "data": {}},
        {"Meta Data": {"2. Symbol": "SPY"}, "Time Series (Daily)": []},
    ],
)  # fmt: skip
def test_what_is_no_answer(payload: Any) -> None:
    with pytest.raises(PayloadError, match="alpha_vantage"):
        parse(payload, NOW_MS)


def test_three_questions() -> None:
    answers = [closes(d2026_05_27="1"), closes("UUP", d2026_05_27="2"), yields(("2026-05-27", "4"))]
    client = ScriptedClient(list(answers))
    facts, error = told(client)
    assert error is None
    assert [one.series for one in facts] == [SP500, DOLLAR_INDEX, TREASURY_10Y]
    assert len(client.asked) == SPEC.calls
    assert {each.params["apikey"] for each in client.asked} == {SECRET}


@pytest.mark.parametrize("field", ["Note", "Information"])
def test_a_used_up_budget_keeps_what_came_and_tells_no_key(field: str) -> None:
    text = f"We have detected your API key as {SECRET} and our limit is 25 requests per day."
    client = ScriptedClient([closes(d2026_05_27="1"), {field: text}])
    facts, error = told(client)
    assert isinstance(error, RateLimited)
    assert SECRET not in str(error)
    assert [one.series for one in facts] == [SP500]
    assert len(client.asked) == 2


def test_a_refused_key() -> None:
    client = ScriptedClient([{"Error Message": f"the parameter apikey {SECRET} is invalid"}])
    facts, error = told(client)
    assert isinstance(error, SourceRejected)
    assert SECRET not in str(error)
    assert facts == []

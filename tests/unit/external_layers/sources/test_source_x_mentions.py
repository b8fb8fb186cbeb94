"""X: whole hours only, each token in its turn, each hour told once."""

import asyncio
from math import isnan
from typing import Any

import pytest

from external_layers.sources.facts import Mentions
from external_layers.sources.x_mentions import KEY, TOKENS_A_FETCH, fetch, parse, query
from scalp_strategy.errors import PayloadError, SourceUnavailable
from tests.support.asked import NOW_MS, ScriptedClient, context_of
from tests.support.source_samples import SAMPLES

HOUR_MS = 3_600_000
EIGHT_PM = NOW_MS // HOUR_MS * HOUR_MS
TOKENS = ["AAVE", "ADA", "BTC", "DOGE", "ETH", "SOL"]


def test_whole_hours_count() -> None:
    (found,) = parse(SAMPLES["x_mentions"], NOW_MS)
    assert (found.platform, found.token, found.count) == ("x_mentions", "BTC", 1_450.0)
    assert (found.span_s, found.observed_at_ms) == (3_600.0, EIGHT_PM)
    assert isnan(found.polarity)
    assert isnan(found.influence)


def test_an_hour_that_is_not_over_or_was_told_does_not() -> None:
    assert parse(SAMPLES["x_mentions"], EIGHT_PM - 1) == []
    assert parse(SAMPLES["x_mentions"], NOW_MS, "BTC", EIGHT_PM) == []


@pytest.mark.parametrize(
    "payload",
    [{"title": "Unauthorized"}, {"data": [{"start": "x", "end": "y", "tweet_count": 1}]}, []],
)
def test_not_an_answer(payload: Any) -> None:
    with pytest.raises(PayloadError):
        parse(payload, NOW_MS)


@pytest.mark.parametrize("token", ["BTC", "1000PEPE", "OP", "NEVERHEARDOF"])
def test_queries_are_short_and_have_no_operator_that_costs(token: str) -> None:
    asked = query(token)
    assert len(asked) < 512
    assert "$" not in asked
    assert asked.endswith(") lang:en -is:retweet")


def test_tokens_take_turns_and_hours_are_told_once() -> None:
    client = ScriptedClient([SAMPLES["x_mentions"]] * 12)
    context = context_of({KEY: "k"}, tokens=TOKENS)
    told = []
    for each in range(3):
        client.received_ms = NOW_MS + each  # the clock goes on
        told.append([fact.token for fact in asyncio.run(fetch(client, context))])
    assert told[0] == TOKENS[:TOKENS_A_FETCH]
    assert told[1] == TOKENS[TOKENS_A_FETCH:]  # and two of the first again, with nothing new
    assert told[2] == []
    assert client.asked[0].params == {"query": query("AAVE"), "granularity": "hour"}
    assert client.asked[0].headers == {"Authorization": "Bearer k"}


def test_what_is_no_longer_watched_is_forgotten() -> None:
    client, context = ScriptedClient([SAMPLES["x_mentions"]] * 5), context_of({KEY: "k"}, TOKENS)
    asyncio.run(fetch(client, context))
    context.tokens = ("SOL",)
    asyncio.run(fetch(client, context))
    assert set(context.memory["asked"]) == set(context.memory["until"]) == {"SOL"}


def test_a_call_that_fails_loses_nothing() -> None:
    answers = [SAMPLES["x_mentions"], SourceUnavailable("down"), SAMPLES["x_mentions"]]
    client, context = ScriptedClient([*answers, SAMPLES["x_mentions"]]), context_of({KEY: "k"})
    context.tokens = ("BTC", "ETH")
    with pytest.raises(SourceUnavailable):
        asyncio.run(fetch(client, context))
    facts = asyncio.run(fetch(client, context))
    assert [each.token for each in facts if isinstance(each, Mentions)] == ["BTC", "ETH"]


def test_a_damaged_memory_is_borne() -> None:
    client, context = ScriptedClient([SAMPLES["x_mentions"]]), context_of({KEY: "k"}, ["BTC"])
    context.memory.update(asked={"BTC": "x"}, until=[1])
    assert len(asyncio.run(fetch(client, context))) == 1

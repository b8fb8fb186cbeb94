"""LunarCrush: polarity from a share, influence from reach, one coin to a ticker."""

import asyncio
from math import isnan
from typing import Any

import pytest

from external_layers.sources.facts import Mentions
from external_layers.sources.lunarcrush import KEY, fetch, parse
from scalp_strategy.errors import PayloadError
from tests.support.asked import NOW_MS, ScriptedClient, context_of
from tests.support.source_samples import SAMPLES


def coin(symbol: Any = "SOL", posts: Any = 100, reached: Any = 1_000, **more: Any) -> Any:
    counts = {"social_volume_24h": posts, "interactions_24h": reached}
    return {"symbol": symbol, "market_cap_rank": 5, "sentiment": 50, **counts, **more}


def test_what_is_said() -> None:
    solana, bitcoin = parse(SAMPLES["lunarcrush"], NOW_MS)
    # 200 million interactions over 400,000 posts are usual: 500 a post.
    assert solana == Mentions(
        "lunarcrush", "SOL", 50_000.0, 86_400.0, -0.2, 1_779_999_900_000, NOW_MS, 400 / 500
    )
    assert (bitcoin.platform, bitcoin.count, bitcoin.polarity) == ("lunarcrush", 350_000.0, 0.5)
    assert bitcoin.influence == pytest.approx(180_000 / 350 / 500)


def test_the_largest_coin_owns_its_ticker() -> None:
    rows = [coin(posts=1, market_cap_rank=900), coin(posts=2), coin(posts=3, market_cap_rank=None)]
    (found,) = parse({"data": rows}, NOW_MS)
    assert found.count == 2.0


def test_only_some_are_wanted_but_all_are_usual() -> None:
    rows = [coin("PEPE", reached=100), coin("SOL", reached=300)]
    (found,) = parse({"data": rows}, NOW_MS, ["1000PEPE", "XRP"])
    assert (found.token, found.influence) == ("PEPE", 0.5)
    assert found.observed_at_ms == NOW_MS  # the answer does not tell when it was made


@pytest.mark.parametrize(("sentiment", "reached"), [(None, None), (101, -5), ("?", "many")])
def test_the_unknown_is_unknown(sentiment: Any, reached: Any) -> None:
    (found,) = parse({"data": [coin(reached=reached, sentiment=sentiment)]}, NOW_MS)
    assert isnan(found.polarity)
    assert isnan(found.influence)
    assert found.count == 100.0


@pytest.mark.parametrize(
    "payload", [{"error": "no plan"}, {"data": [coin(posts=None)]}, {"data": [coin(7)]}, "<html>"]
)
def test_not_an_answer(payload: Any) -> None:
    with pytest.raises(PayloadError):
        parse(payload, NOW_MS)


def test_fetch_asks_once_and_keeps_the_watched() -> None:
    client = ScriptedClient([SAMPLES["lunarcrush"]])
    (found,) = asyncio.run(fetch(client, context_of({KEY: "k"}, tokens=["SOL"])))
    assert isinstance(found, Mentions)
    (question,) = client.asked
    assert question.params == {"sort": "market_cap_rank", "limit": 1_000}
    assert question.headers == {"Authorization": "Bearer k"}

"""Reddit: a login that is kept nowhere, titles only, each told once."""

import asyncio
import copy
import json
from base64 import b64decode
from typing import Any

import pytest

from external_layers.sources.facts import MARKET, Story, Watched
from external_layers.sources.reddit import ID_KEY, SECRET_KEY, fetch, parse, parse_login
from scalp_strategy.errors import PayloadError
from tests.support.asked import NOW_MS, ScriptedClient, context_of
from tests.support.source_samples import SAMPLES

LOGIN = {"access_token": "bearer-secret", "token_type": "bearer", "expires_in": 86_400}
KEYS = {ID_KEY: "id", SECRET_KEY: "app-secret"}


def listing(*posts: dict[str, Any]) -> dict[str, Any]:
    first = SAMPLES["reddit"]["data"]["children"][0]["data"]
    children = [{"kind": "t3", "data": {**copy.deepcopy(first), **post}} for post in posts]
    return {"kind": "Listing", "data": {"children": children}}


def test_a_title_and_nothing_more() -> None:
    (found,) = parse(SAMPLES["reddit"], NOW_MS)
    assert found.id == "reddit:t3_1abcde"
    assert found.publisher == "reddit r/CryptoCurrency"
    assert found.tokens == ("SOL",)
    assert found.polarity < -0.3
    assert found.observed_at_ms == 1_779_999_000_000
    assert "somebody" not in repr(found)
    assert "long text" not in repr(found)


def test_a_quiet_hour_and_a_bad_post() -> None:
    assert parse(listing(), NOW_MS) == []
    assert len(parse(listing({"title": None}, {}), NOW_MS)) == 1


@pytest.mark.parametrize(
    "payload",
    [{"error": 403}, listing({"title": ""}), listing({"created_utc": 9e9}), "<html>", {"data": 1}],
)
def test_not_a_listing(payload: Any) -> None:
    with pytest.raises(PayloadError):
        parse(payload, NOW_MS)


@pytest.mark.parametrize("payload", [{"error": "app-secret"}, {"access_token": 5}, None])
def test_a_login_without_a_token_tells_nothing(payload: Any) -> None:
    with pytest.raises(PayloadError) as caught:
        parse_login(payload)
    assert "secret" not in str(caught.value)


def test_it_logs_in_reads_and_tells_each_post_once() -> None:
    client = ScriptedClient([LOGIN, listing({}), LOGIN, listing({"name": "t3_2"}, {})])
    context = context_of(KEYS)
    first, second = (asyncio.run(fetch(client, context)) for _ in range(2))
    assert [each.id for each in first if isinstance(each, Story)] == ["reddit:t3_1abcde"]
    assert [each.id for each in second if isinstance(each, Story)] == ["reddit:t3_2"]
    assert first[-1] == Watched("stories", MARKET, "reddit", NOW_MS, NOW_MS)
    login, read = client.asked[:2]
    assert login.path == "https://www.reddit.com/api/v1/access_token"
    assert login.form == {"grant_type": "client_credentials"}
    assert b64decode(login.headers["Authorization"].removeprefix("Basic ")) == b"id:app-secret"
    assert read.headers["Authorization"] == "Bearer bearer-secret"
    assert "secret" not in json.dumps(context.memory)

"""Requests on a websocket: subscribing and its limits."""

from typing import Any

import orjson
import pytest
from aiohttp import web

from external_layers.replay.sockets import MAX_STREAMS, Connection, answered
from external_layers.replay.stream_names import parse_route


@pytest.fixture
def connection() -> Connection:
    route = parse_route("/fstream/market/ws", None)
    assert route is not None
    return Connection(route, web.WebSocketResponse())


def ask(connection: Connection, method: str, *params: str) -> Any:
    request = {"method": method, "params": list(params), "id": 9}
    return answered(connection, orjson.dumps(request).decode(), 1_000)


def test_subscribing_listing_and_leaving(connection: Connection) -> None:
    assert ask(connection, "SUBSCRIBE", "a@aggTrade", "b@kline_1m") == {"result": None, "id": 9}
    assert ask(connection, "LIST_SUBSCRIPTIONS")["result"] == ["a@aggTrade", "b@kline_1m"]
    assert ask(connection, "UNSUBSCRIBE", "a@aggTrade", "c@depth") == {"result": None, "id": 9}
    assert ask(connection, "LIST_SUBSCRIPTIONS")["result"] == ["b@kline_1m"]


def test_a_connection_carries_its_category_only(connection: Connection) -> None:
    ask(connection, "SUBSCRIBE", "a@aggTrade", "a@depth")
    carried = {name: connection.carries(stream) for name, stream in connection.streams.items()}
    assert carried == {"a@aggTrade": True, "a@depth": False}


def test_the_cap_holds_and_rejects_the_whole_request(connection: Connection) -> None:
    names = [f"s{number}@aggTrade" for number in range(MAX_STREAMS)]
    assert ask(connection, "SUBSCRIBE", *names) == {"result": None, "id": 9}
    assert ask(connection, "SUBSCRIBE", names[0])["result"] is None
    refused = ask(connection, "SUBSCRIBE", "one@aggTrade", "more@aggTrade")
    assert refused["error"]["code"] == 2
    assert len(connection.streams) == MAX_STREAMS


@pytest.mark.parametrize(
    ("text", "code"),
    [("{", 3), ("[]", 3), ("{}", 3), ('{"method": "SHOUT"}', 2),
     ('{"method": "SUBSCRIBE", "params": ["a@nothing"]}', 2)],
)  # fmt: skip
def test_bad_requests_are_answered(connection: Connection, text: str, code: int) -> None:
    assert answered(connection, text, 0)["error"]["code"] == code

"""The HTTP interface over loopback: shapes, who may ask, what may be asked."""

from collections.abc import Iterator
from typing import Any

import httpx
import jsonschema
import orjson
import pytest
from freqtrade.plugins.pairlist.RemotePairList import RemotePairList
from prometheus_client.parser import text_string_to_metric_families

from external_layers.scanner.selection import ActivePair, SelectionState
from external_layers.service import Sidecar
from scalp_strategy.contract import Component
from tests.unit.external_layers import frames
from tests.unit.external_layers.sidecar_parts import (
    BTC,
    CLOSE_MS,
    ETH,
    START,
    Clock,
    app_of,
    idle_sidecar,
    served,
)

TOKEN = "0123456789abcdef"  # noqa: S105 - of the test


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Sidecar, Clock]]:
    folder = tmp_path_factory.mktemp("data")
    with idle_sidecar(folder, sidecar__candle_wait_ms=0) as (sidecar, clock):
        fill(sidecar)
        clock.ms = START + 10_000
        yield sidecar, clock


@pytest.fixture(scope="module")
def client(parts: tuple[Sidecar, Clock]) -> Iterator[httpx.Client]:
    with served(app_of(parts[0])) as url, httpx.Client(base_url=url) as client:
        yield client


def fill(sidecar: Sidecar) -> None:
    sidecar.watch.watch({"BTCUSDT": BTC})
    for at in (START - CLOSE_MS - 500, START - 500, START + 5_000):
        rows = [
            Component("orderflow", name, BTC, 60.0, 40.0, at - 7, at, "why", ("vanishing",))
            for name in ("trade_flow", "funding_rate")
        ]
        rows.append(Component("orderflow", "book_imbalance", BTC, *[float("nan")] * 2, at, at))
        sidecar.timeline.add(rows)
        sidecar.archive.append(rows)
    for timeframe, length in (("1m", 60_000), ("5m", 300_000), ("15m", CLOSE_MS)):
        opens = range(START - 60 * length, START, length)
        sidecar.watch.fill("BTCUSDT", timeframe, [(at, 10, 11, 9, 10, 1) for at in opens])
    for number in range(1, 4):
        sidecar.events.append("pair_added", f"number {number}", BTC)
    active = {BTC: ActivePair(START, 80.0), ETH: ActivePair(START, 70.0)}
    sidecar.scanner.state = SelectionState(active)
    sidecar.watch.on_frame("futures", frames.trade("BTCUSDT", 1, START), START + 20)
    sidecar.watch.on_frame("futures", b'{"stream":"btcusdt@aggTrade","data":{}}', START)


def scores(client: httpx.Client, pairs: str = BTC, **asked: int) -> dict[str, Any]:
    answer = client.get("/v1/scores", params={"pairs": pairs, **asked})
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize(
    "path",
    [
        f"/v1/scores?pairs={BTC},{ETH},*",
        f"/v1/scores?pairs={BTC}&at={START}&since={START - 9 * CLOSE_MS}",
        "/v1/scores?pairs=",
        f"/v1/scores/orderflow/history?pair={BTC}&since=0",
        "/v1/scores/sentiment/history?pair=*&since=0&limit=1",
        "/v1/events",
        "/v1/pairs",
        "/v1/pairlist",
        "/v1/health",
    ],
)
def test_every_answer_is_what_the_open_api_document_says(client: httpx.Client, path: str) -> None:
    document = client.get("/openapi.json").json()
    answer = client.get(path)
    route = path.partition("?")[0].replace("orderflow", "{layer}").replace("sentiment", "{layer}")
    described = document["paths"][route]["get"]["responses"][str(answer.status_code)]
    assert answer.headers["content-type"] == "application/json"
    schema = described["content"]["application/json"]["schema"]
    jsonschema.validate(answer.json(), schema | {"components": document["components"]})


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/scores", 422),
        ("/v1/scores?pairs=" + ",".join(f"P{n}" for n in range(501)), 422),
        (f"/v1/scores?pairs={BTC}&at=-1", 422),
        (f"/v1/scores?pairs={BTC}&since=-1", 422),
        (f"/v1/scores?pairs={BTC}&at=soon", 422),
        (f"/v1/scores?pairs={BTC}&at={START - 1}", 422),
        (f"/v1/scores?pairs={BTC}&at={START - 97 * CLOSE_MS}", 422),
        ("/v1/scores/weather/history?pair=*&since=0", 404),
        (f"/v1/scores/orderflow/history?pair={BTC}&since=0&limit=0", 422),
        (f"/v1/scores/orderflow/history?pair={BTC}&since=0&limit=50001", 422),
        ("/v1/scores/orderflow/history?since=0", 422),
        ("/v1/events?after=-1", 422),
        ("/v1/nothing", 404),
    ],
)
def test_a_wrong_question_is_refused(client: httpx.Client, path: str, status: int) -> None:
    assert client.get(path).status_code == status


@pytest.mark.parametrize("number", [0, 2**53, 10**30])
def test_any_instant_can_be_asked_about(client: httpx.Client, number: int) -> None:
    scores(client, since=number)
    answer = scores(client, at=max(number, START))
    assert answer["at_ms"] <= START + 10_000 + 1_000
    history = {"pair": BTC, "since": number}
    assert client.get("/v1/scores/orderflow/history", params=history).status_code == 200


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8090", "localhost", "[::1]:8090", "[::1]", "127.0.0.2"]
)
def test_this_machine_may_ask(client: httpx.Client, host: str) -> None:
    assert client.get("/v1/health", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("path", ["/", "/v1/health", "/openapi.json", "/metrics"])
@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8090", "127.0.0.1.evil.example", ""]
)
def test_a_name_that_only_leads_here_may_not(client: httpx.Client, path: str, host: str) -> None:
    assert client.get(path, headers={"Host": host}).status_code == 403


def test_with_a_token_nobody_else_gets_data(parts: tuple[Sidecar, Clock]) -> None:
    with served(app_of(parts[0], TOKEN)) as url, httpx.Client(base_url=url) as client:
        for given in ({}, {"Authorization": TOKEN}, {"Authorization": f"Bearer {TOKEN}x"}):
            for path in ("/v1/health", "/v1/pairs", "/metrics", "/openapi.json", "/nothing"):
                answer = client.get(path, headers=given)
                assert (answer.status_code, answer.json()) == (401, {"detail": "not allowed"})
        page = client.get("/")
        assert page.status_code == 200
        assert "text/html" in page.headers["content-type"]
        assert BTC not in page.text
        assert "number 1" not in page.text
        authorized = {"Authorization": f"Bearer {TOKEN}", "Host": "sidecar:8090"}
        assert client.get("/v1/pairlist", headers=authorized).json()["pairs"] == [BTC, ETH]


def test_events_are_numbered_and_each_is_had_once(client: httpx.Client) -> None:
    first = client.get("/v1/events", params={"limit": 2}).json()
    assert [event["number"] for event in first["events"]] == [1, 2]
    rest = client.get("/v1/events", params={"after": first["last_number"]}).json()
    assert [event["text"] for event in rest["events"]] == ["number 3"]
    none = client.get("/v1/events", params={"after": rest["last_number"]}).json()
    assert none == {"events": [], "last_number": 3}


def test_the_host_reads_the_pair_list(client: httpx.Client) -> None:
    class Exchange:
        """What the plug-in asks of the host's exchange."""

        def get_markets(self) -> dict[str, None]:
            return dict.fromkeys([BTC, ETH])

    url = str(client.base_url.join("/v1/pairlist"))
    own = {"pairlist_url": url, "number_assets": 40, "refresh_period": 5}
    config = {"stake_currency": "USDT", "trading_mode": "futures"}
    plugin = RemotePairList(Exchange(), None, config, own, 0)
    plugin._whitelist_for_active_markets = lambda pairs: pairs
    plugin.verify_blacklist = lambda pairs, _: pairs
    assert plugin.gen_pairlist({}) == [BTC, ETH]
    assert client.get("/v1/pairlist").json() == {"pairs": [BTC, ETH], "refresh_period": 60}


def test_pairs_tell_what_the_layers_say_of_the_watched(client: httpx.Client) -> None:
    body = client.get("/v1/pairs").json()
    assert (body["active"], body["watched"], body["scanned_at_ms"]) == ([BTC, ETH], [BTC], None)
    said = body["pairs"][BTC]["layers"]["orderflow"]
    # Trade flow and funding say 60, the rest of the weight 50; vanishing liquidity takes 20.
    assert said["long"] == pytest.approx(0.45 * 60 + 0.55 * 50 - 20)
    assert 0 < said["reliability"] < 1


def test_history_is_complete_or_says_so(client: httpx.Client) -> None:
    asked = {"pair": BTC, "since": 0}
    whole = client.get("/v1/scores/orderflow/history", params=asked).json()
    times = [row[6] for row in whole["components"]]
    assert whole["is_complete"]
    assert len(times) == 9
    assert times == sorted(times)
    part = client.get("/v1/scores/orderflow/history", params=asked | {"limit": 8}).json()
    assert not part["is_complete"]
    assert part["components"] == whole["components"][:8]
    since = client.get("/v1/scores/orderflow/history", params=asked | {"since": START}).json()
    assert [row[6] for row in since["components"]] == [START + 5_000] * 3


def test_metrics_can_be_read_and_hold_what_was_promised(client: httpx.Client) -> None:
    answer = client.get("/metrics")
    found = {each.name: each for each in text_string_to_metric_families(answer.text)}
    promised = {
        *("scalp_messages_received", "scalp_messages_dropped", "scalp_lag_seconds", "scalp_gaps"),
        *("scalp_reconnects", "scalp_queue_dropped", "scalp_silent_streams"),
        *("scalp_book_resyncs", "scalp_books_synced", "scalp_component_age_seconds"),
        *("scalp_rest_weight", "scalp_rest_requests", "scalp_rest_errors", "scalp_pairs_watched"),
        *("scalp_pairs_active", "scalp_clock_skew_seconds", "scalp_archive_rows_written"),
        *("scalp_archive_rows_dropped", "scalp_archive_rows_waiting"),
    }
    assert promised <= set(found)
    sample = {
        (each.name, *sorted(each.labels.values())): each.value
        for family in found.values()
        for each in family.samples
    }
    assert sample["scalp_messages_received_total", "aggTrade", "futures"] == 2
    assert sample["scalp_messages_dropped_total", "aggTrade", "futures", "invalid"] == 1
    assert sample["scalp_lag_seconds", "aggTrade", "futures"] == pytest.approx(0.02)
    assert sample["scalp_component_age_seconds", BTC, "trade_flow"] == pytest.approx(5.007)
    assert ("scalp_component_age_seconds", BTC, "book_imbalance") not in sample  # unknown


def test_bodies_are_json_without_nan(client: httpx.Client) -> None:
    body = orjson.loads(client.get("/v1/scores", params={"pairs": BTC}).content)
    unknown = next(row for row in body["pairs"][BTC]["components"] if row[1] == "book_imbalance")
    assert unknown[3:5] == [None, None]

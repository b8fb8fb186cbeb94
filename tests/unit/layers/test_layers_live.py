"""The live reader against a real HTTP server: what it asks, what it keeps, what failures do."""

import gzip
import json
import logging
import socket
from collections.abc import Iterator

import numpy as np
import pytest

from scalp_strategy.errors import ConfigError
from scalp_strategy.layers import LiveSource, layer_reasons, live_source
from scalp_strategy.layers.http_transport import HttpTransport
from scalp_strategy.settings import Settings, with_overrides
from scalp_strategy.technical.bars import bars_of
from tests.unit.layers.evidence import BTC, CANDLE_MS, ETH, START_MS, component
from tests.unit.layers.sidecar_stub import STEPS_MS, Fault, Handler, Sidecar, serving

TOKEN = "s3cret-token"  # noqa: S105
ROWS = 50
CLOSE_2 = START_MS + CANDLE_MS
CLOSE_3 = START_MS + 2 * CANDLE_MS


def candles(frame: str, count: int, last_close_ms: int) -> list[list[float]]:
    step = STEPS_MS[frame]
    opens = [last_close_ms - step * back for back in range(count, 0, -1)]
    return [[at, 10.0, 11.0, 9.0, 10.5, at % 7] for at in opens]


@pytest.fixture
def sidecar() -> Sidecar:
    """A sidecar that knows BTC at three closes, and candles of BTC up to a minute after each."""
    rows = [component(at - 500, 60.0 + n) for n, at in enumerate((START_MS, CLOSE_2, CLOSE_3))]
    later = CLOSE_3 + 60_000
    grid = {frame: later // step * step for frame, step in STEPS_MS.items()}
    return Sidecar(
        rows=rows,
        candles={(BTC, frame): candles(frame, 300, grid[frame]) for frame in STEPS_MS},
    )


@pytest.fixture
def url(sidecar) -> Iterator[str]:
    with serving(sidecar) as address:
        yield address


def settings_for(url: str, timeout_s: float = 5.0) -> Settings:
    changes = {"url": url, "timeout_s": timeout_s, "candle_rows": ROWS}
    return with_overrides(Settings(), {f"sidecar.{name}": given for name, given in changes.items()})


def source_for(url: str, timeout_s: float = 5.0) -> LiveSource:
    return live_source(settings_for(url, timeout_s), {"SCALP_LAYERS_TOKEN": TOKEN})


def said(source: LiveSource, close_ms: int) -> float:
    """What the trade flow says, the only component here: 0.30 of the layer, the rest is 50."""
    long = layer_reasons(source, BTC, close_ms, "orderflow", Settings()).long
    return round(50.0 + (long - 50.0) / 0.30, 9)


# ---- what is asked ----


def test_a_new_pair_is_asked_for_its_past_and_its_candles_then_for_news_only(sidecar, url) -> None:
    source = source_for(url)
    source.refresh(START_MS, [BTC])
    source.refresh(CLOSE_2, [BTC])
    window = 4 * 3_600_000 + CANDLE_MS
    at = {"pairs": BTC, "at": str(START_MS)}
    news = {"pairs": BTC, "at": str(CLOSE_2), "since": str(START_MS)}
    assert sidecar.asked == [at | {"since": str(START_MS - window)}, at, news]
    assert sidecar.connections == 1
    assert set(sidecar.tokens) == {f"Bearer {TOKEN}"}


def test_what_is_held_is_not_asked_for_again(sidecar, url) -> None:
    source = source_for(url)
    assert source.refresh(START_MS, [BTC]).answered == 1
    count = len(sidecar.asked)
    report = source.refresh(START_MS, [BTC])
    assert (report.asked, report.problem, len(sidecar.asked)) == (0, None, count)
    assert source.refresh(START_MS, []).asked == 0


def test_a_pair_without_enough_candles_is_asked_for_all_of_them_again(sidecar, url) -> None:
    source = source_for(url)
    source.refresh(START_MS, [BTC, ETH])
    sidecar.asked.clear()
    source.refresh(CLOSE_2, [BTC, ETH])
    asked = {(query["pairs"], "since" in query) for query in sidecar.asked}
    assert asked == {(BTC, True), (ETH, True), (ETH, False)}


def test_without_a_token_none_is_sent(sidecar, url) -> None:
    live_source(settings_for(url), {}).refresh(START_MS, [BTC])
    assert set(sidecar.tokens) == {None}


def test_without_an_address_nothing_is_known_and_nothing_fails() -> None:
    source = live_source(Settings(), {})
    assert source.refresh(START_MS, [BTC]).problem is None
    assert source.candles(BTC, "5m") is None
    assert source.series("orderflow", BTC, 0, START_MS) == {}


# ---- what is kept ----


def test_candles_are_the_hosts_frames_closed_and_bounded(sidecar, url) -> None:
    source = source_for(url)
    for close in (START_MS, CLOSE_2, CLOSE_3):
        source.refresh(close, [BTC])
        for name, step in STEPS_MS.items():
            frame = source.candles(BTC, name)
            bars = bars_of(frame, name)  # refuses doubled, unsorted and naive dates
            assert frame["volume"].dtype == float
            expected = [row for row in sidecar.candles[BTC, name] if row[0] + step <= close]
            assert (bars.time_ns // 1_000_000).tolist() == [row[0] for row in expected[-ROWS:]]
            assert bars.volume.tolist() == [row[5] for row in expected[-ROWS:]]


def test_a_corrected_candle_replaces_the_old_one(sidecar, url) -> None:
    source = source_for(url)
    source.refresh(START_MS, [BTC])
    sidecar.fault = lambda handler: handler.answer(
        json.dumps(
            {
                "schema": 1,
                "at_ms": CLOSE_2,
                "pairs": {
                    BTC: {
                        "components": [],
                        "candles": {
                            "5m": [
                                [START_MS - 300_000, *"12345"],
                                [START_MS - 300_000, 1, 2, 3, 4, 5],
                            ]
                        },
                    }
                },
            }
        ).encode()
    )
    assert source.refresh(CLOSE_2, [BTC]).dropped == 1
    last = source.candles(BTC, "5m").iloc[-1]
    assert last[["open", "high", "low", "close", "volume"]].tolist() == [1, 2, 3, 4, 5]


def test_a_clock_set_back_knows_nothing_of_the_future(sidecar, url) -> None:
    source = source_for(url)
    source.refresh(CLOSE_3, [BTC])
    assert source.refresh(START_MS, [BTC]).answered == 1
    assert said(source, START_MS) == 60.0
    assert source.series("orderflow", BTC, START_MS + 1, CLOSE_3) == {}
    assert source.candles(BTC, "1m")["date"].iloc[-1].timestamp() * 1_000 == START_MS - 60_000
    source.refresh(CLOSE_3, [BTC])
    assert said(source, CLOSE_3) == 62.0


def test_a_pair_that_is_not_asked_for_is_forgotten_in_time(sidecar, url) -> None:
    source = source_for(url)
    source.refresh(START_MS, [BTC])
    # A week and some hours: so long the slowest layer's rows are remembered.
    source.refresh(START_MS + 8 * 86_400_000, [ETH])
    assert source.candles(BTC, "5m") is None
    assert source.series("orderflow", BTC, 0, START_MS) == {}


def test_an_answer_for_an_earlier_instant_leaves_the_rest_to_be_asked(sidecar, url) -> None:
    source = source_for(url)

    def behind(handler: Handler) -> None:
        query = sidecar.asked[-1]
        handler.answer(sidecar.body(query | {"at": str(min(int(query["at"]), START_MS))}))

    sidecar.fault = behind
    report = source.refresh(CLOSE_2, [BTC])
    assert (report.problem, report.answered) == (None, 0)
    sidecar.fault = None
    assert source.refresh(CLOSE_2, [BTC]).answered == 1
    assert said(source, CLOSE_2) == 61.0


def test_rows_that_are_none_are_dropped_counted_and_told_once(sidecar, url, caplog) -> None:
    source = source_for(url)

    def mixed(handler: Handler) -> None:
        body = json.loads(sidecar.body(sidecar.asked[-1]))
        good = body["pairs"][BTC]["components"][0]
        body["pairs"][BTC]["components"] += [
            None,
            good[:9],
            [*good[:2], ETH, *good[3:]],
            [*good[:3], 101.0, *good[4:]],
            [*good[:5], -1, *good[6:]],
            [*good[:9], 2],
        ]
        body["pairs"]["XRP/USDT:USDT"] = {}
        handler.answer(json.dumps(body).encode())

    sidecar.fault = mixed
    report = source.refresh(START_MS, [BTC])
    assert (report.problem, report.dropped) == (None, 14)  # two answers, seven in each
    source.refresh(CLOSE_2, [BTC])
    assert said(source, CLOSE_2) == 61.0
    assert len(warnings(caplog)) == 1


# ---- failures ----


def hang(handler: Handler) -> None:
    handler.sidecar.released.wait()
    handler.answer(handler.sidecar.body(handler.sidecar.asked[0]))


def drip_headers(handler: Handler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
    drip(handler)


def drip_body(handler: Handler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    drip(handler)


def drip(handler: Handler) -> None:
    """Send a byte again and again, each well within the time limit of a chunk."""
    while not handler.sidecar.released.wait(0.02):
        handler.wfile.write(b" ")
        handler.wfile.flush()


def hang_up(handler: Handler) -> None:
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True


def half(handler: Handler) -> None:
    handler.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{"schema"')
    handler.close_connection = True


def answering(body: bytes, status: int = 200, **headers: str) -> Fault:
    return lambda handler: handler.answer(body, status, **headers)


FAULTS: dict[str, Fault] = {
    "hangs": hang,
    "drips headers": drip_headers,
    "drips a body": drip_body,
    "hangs up": hang_up,
    "half an answer": half,
    "error": answering(b"{}", 500),
    "refused": answering(b"{}", 401),
    "too many": answering(b"{}", 429),
    "moved": answering(b"{}", 302, Location="http://127.0.0.1:9/"),
    "no content": answering(b"", 204),
    "no JSON": answering(b"<html>"),
    "another schema": answering(b'{"schema": 2, "at_ms": 1, "pairs": {}}'),
    "no pairs": answering(b'{"schema": 1, "at_ms": 1}'),
    "compressed": answering(gzip.compress(b"{}"), Content_Encoding="gzip"),
    "no HTTP": lambda handler: handler.wfile.write(b"\x00\xff" * 100 + b"\r\n\r\n"),
}
ENDLESS = ("hangs", "drips headers", "drips a body")


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    ours = [one for one in caplog.records if one.name.startswith("scalp_strategy")]
    return [one.getMessage() for one in ours if one.levelno >= logging.WARNING]


def is_read(source: LiveSource, close_ms: int) -> bool:
    """Whether a refresh succeeds: a busy machine may need a few within a short limit."""
    return any(source.refresh(close_ms, [BTC]).problem is None for _ in range(20))


@pytest.mark.parametrize("name", FAULTS)
def test_a_failure_keeps_what_was_known_and_ends(sidecar, url, name, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    source = source_for(url, timeout_s=0.25 if name in ENDLESS else 5.0)
    assert is_read(source, START_MS)
    caplog.clear()
    frame = source.candles(BTC, "5m")
    sidecar.fault = FAULTS[name]
    asked = len(sidecar.asked)
    for _ in range(2):
        report = source.refresh(CLOSE_2, [BTC])
        assert report.problem
        assert (report.answered, report.components) == (0, 0)
    assert len(sidecar.asked) <= asked + 2
    assert said(source, START_MS) == 60.0
    assert source.candles(BTC, "5m").equals(frame)
    assert len(warnings(caplog)) == 1
    sidecar.fault = None  # what hangs or drips goes on beside
    assert is_read(source, CLOSE_2)
    assert said(source, CLOSE_2) == 61.0
    assert len(warnings(caplog)) == 2
    assert TOKEN not in caplog.text


def test_an_answer_that_is_too_long_is_refused(sidecar, url) -> None:
    settings = settings_for(url)
    source = LiveSource(settings, HttpTransport(url, "", 5.0, max_body_bytes=10_000))
    sidecar.fault = answering(b" " * 10_001)
    assert "10000 bytes" in str(source.refresh(START_MS, [BTC]).problem)
    sidecar.fault = answering(sidecar.body({"pairs": ETH, "at": str(START_MS)}))
    assert source.refresh(START_MS, [ETH]).problem is None


def test_a_dead_port() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        source = source_for(f"http://127.0.0.1:{free.getsockname()[1]}")
    for _ in range(2):
        assert source.refresh(START_MS, [BTC]).problem


def test_a_sidecar_that_is_restarted_is_found_again(sidecar) -> None:
    with serving(sidecar) as url:
        source = source_for(url)
        source.refresh(START_MS, [BTC])
    assert source.refresh(CLOSE_2, [BTC]).problem
    with serving(sidecar, port=int(url.rpartition(":")[2])):
        assert source.refresh(CLOSE_2, [BTC]).problem is None
        assert said(source, CLOSE_2) == 61.0
    with serving(sidecar, port=int(url.rpartition(":")[2])):
        # The kept connection broke while nobody looked.
        assert source.refresh(CLOSE_3, [BTC]).problem is None


def test_the_second_question_may_fail_alone(sidecar, url) -> None:
    source = source_for(url)
    source.refresh(START_MS, [BTC])

    def news_only(handler: Handler) -> None:
        query = sidecar.asked[-1]
        is_known = query["pairs"] == BTC
        handler.answer(sidecar.body(query) if is_known else b"{}", 200 if is_known else 500)

    sidecar.fault = news_only
    report = source.refresh(CLOSE_2, [BTC, ETH])
    assert (report.asked, report.answered, report.problem) == (2, 1, "status 500")
    assert said(source, CLOSE_2) == 61.0


@pytest.mark.parametrize("url", ["127.0.0.1:8090", "ftp://a", "http://", "http://me:pw@host", "::"])
def test_an_address_that_is_none_stops_at_start(url) -> None:
    with pytest.raises(ConfigError, match=r"sidecar\.url") as caught:
        source_for(url)
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize("token", ["a\nb", "schlüssel"])
def test_a_token_that_cannot_be_sent_stops_at_start(token) -> None:
    with pytest.raises(ConfigError) as caught:
        live_source(settings_for("http://127.0.0.1:1"), {"SCALP_LAYERS_TOKEN": token})
    assert token not in str(caught.value)


def test_a_candle_that_came_late_is_fetched_the_next_time(sidecar, url) -> None:
    source = source_for(url)
    source.refresh(START_MS, [BTC])
    kept = sidecar.candles[BTC, "1m"]
    late = next(row for row in kept if row[0] == CLOSE_2 - 60_000)
    sidecar.candles[BTC, "1m"] = [row for row in kept if row is not late]
    source.refresh(CLOSE_2, [BTC])
    assert opens(source.candles(BTC, "1m"))[-1] == CLOSE_2 - 120_000
    sidecar.candles[BTC, "1m"] = kept
    source.refresh(CLOSE_2, [BTC])
    assert opens(source.candles(BTC, "1m"))[-1] == CLOSE_2 - 60_000
    sidecar.asked.clear()
    source.refresh(CLOSE_2, [BTC])
    assert sidecar.asked == []


def test_a_hole_is_filled_when_the_sidecar_has_filled_it(sidecar, url) -> None:
    source = source_for(url)
    source.refresh(START_MS, [BTC])
    kept = sidecar.candles[BTC, "5m"]
    sidecar.candles[BTC, "5m"] = [row for row in kept if row[0] != CLOSE_2 - 600_000]
    source.refresh(CLOSE_2, [BTC])
    sidecar.candles[BTC, "5m"] = kept
    source.refresh(CLOSE_2 + CANDLE_MS, [BTC])
    found = opens(source.candles(BTC, "5m"))
    assert set(np.diff(found)) == {300_000}


def opens(frame) -> list[int]:
    return list(frame["date"].dt.as_unit("ms").array.asi8)

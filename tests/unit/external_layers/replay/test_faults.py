"""Control requests and what they change."""

import pytest

from external_layers.replay.exchange import ReplayExchange
from tests.unit.external_layers.replay.conftest import NOW_MS, Clock

KLINES = {"symbol": "BTCUSDT", "interval": "1m", "limit": "2"}


def test_errors_hit_matching_paths_as_often_as_asked(exchange: ReplayExchange) -> None:
    rule = {"path": "klines$", "status": 429, "count": 2, "retry_after": 7}
    assert exchange.control("errors", rule).body["errors"] == [rule | {"left": 2}]
    answers = [exchange.answer("/fapi/v1/klines", KLINES) for _ in range(3)]
    assert [answer.status for answer in answers] == [429, 429, 200]
    assert answers[0].headers["Retry-After"] == "7"
    exchange.control("errors", {"path": "depth", "status": 418})
    assert exchange.answer("/fapi/v1/klines", KLINES).status == 200
    assert exchange.answer("/fapi/v1/depth", {"symbol": "BTCUSDT"}).status == 418
    exchange.control("reset", {})
    assert exchange.answer("/fapi/v1/depth", {"symbol": "BTCUSDT"}).status == 200


def test_delays_are_used_up(exchange: ReplayExchange) -> None:
    exchange.control("delay", {"path": "/time", "seconds": 2.5, "count": 1})
    late = [exchange.answer("/api/v3/time", {}).delay_s for _ in range(2)]
    assert late == [2.5, 0.0]


def test_silence_ends_by_the_clock(exchange: ReplayExchange, clock: Clock) -> None:
    exchange.control("silence", {"stream": "aggTrade", "seconds": 5})
    assert exchange.faults.is_silent("btcusdt@aggTrade", clock.ms)
    assert not exchange.faults.is_silent("btcusdt@depth", clock.ms)
    assert not exchange.faults.is_silent("btcusdt@aggTrade", clock.ms + 5_000)


def test_a_move_changes_prices_from_now_on(exchange: ReplayExchange, clock: Clock) -> None:
    before = float(exchange.answer("/api/v3/klines", KLINES).body[-1][4])
    exchange.control("move", {"symbol": "BTCUSDT", "factor": 0.5})
    clock.ms += 5_000
    rows = exchange.answer("/api/v3/klines", KLINES).body
    assert float(rows[-1][4]) == pytest.approx(before / 2, rel=0.01)
    assert float(rows[-2][4]) == pytest.approx(before, rel=0.01)
    exchange.control("reset", {})
    assert float(exchange.answer("/api/v3/klines", KLINES).body[-1][4]) > before * 0.9


def test_a_shift_is_relative_to_the_start(exchange: ReplayExchange) -> None:
    plain = exchange.answer("/api/v3/klines", KLINES).body
    state = exchange.control("shift", {"days": -2, "minutes": -5}).body
    assert state["market_minus_wall_minutes"] == -2 * 1_440 - 5
    shifted = exchange.answer("/api/v3/klines", KLINES).body
    assert shifted[0][0] == plain[0][0]
    assert shifted[0][4] != plain[0][4]
    assert exchange.control("reset", {}).body["market_minus_wall_minutes"] == 0


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("errors", {"status": 200}),
        ("errors", {"path": "("}),
        ("delay", {"seconds": -1}),
        ("move", {"symbol": "NOPE", "factor": 0.9}),
        ("move", {"symbol": "BTCUSDT"}),
        ("move", {"symbol": "BTCUSDT", "factor": 0}),
        ("shift", {"days": 90_000}),
        ("shift", {"weeks": 1}),
        ("silence", []),
    ],
)
def test_bad_controls_are_explained_and_change_nothing(
    exchange: ReplayExchange, name: str, body: object
) -> None:
    before = exchange.state()
    answer = exchange.control(name, body)
    assert answer.status == 400
    assert answer.body["error"]
    assert exchange.state() == before


def test_unknown_controls_name_the_known_ones(exchange: ReplayExchange) -> None:
    answer = exchange.control("explode", {})
    assert answer.status == 404
    assert "silence" in answer.body["error"]


def test_requests_are_counted(exchange: ReplayExchange) -> None:
    for _ in range(3):
        exchange.answer("/fapi/v1/klines", KLINES)
    counts = exchange.request_counts()
    assert counts["requests"]["/fapi/v1/klines"] == 3
    assert counts["weight"]["/fapi/v1/klines"] == 3
    exchange.control("requests", {})
    assert exchange.request_counts() == {"requests": {}, "weight": {}, "intervals": {}}
    assert exchange.market.now_ms() == NOW_MS

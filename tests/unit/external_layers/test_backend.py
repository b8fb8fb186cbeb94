"""What an answer holds: as of its instant, of every pair asked for, with the candles it needs."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from fastapi import HTTPException

from external_layers.service import Sidecar
from scalp_strategy.contract import Component
from tests.unit.external_layers import frames
from tests.unit.external_layers.sidecar_parts import (
    BTC,
    CLOSE_MS,
    ETH,
    START,
    Clock,
    idle_sidecar,
)

AFTER = START + 3 * CLOSE_MS + 200_000


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[tuple[Sidecar, Clock]]:
    with idle_sidecar(tmp_path) as (sidecar, clock):
        yield sidecar, clock


def asked(
    sidecar: Sidecar, pairs: list[str], at: int | None = None, since: int | None = None
) -> dict[str, Any]:
    return orjson.loads(asyncio.run(sidecar.answers.scores(pairs, at, since)))


def said(answer: dict[str, Any], pair: str = BTC) -> list[int]:
    """When the components of an answer became known, in minutes after the start."""
    return [round((row[6] - START) / 60_000) for row in answer["pairs"][pair]["components"]]


def flow(at_ms: int, pair: str = BTC) -> Component:
    return Component("orderflow", "trade_flow", pair, 60.0, 40.0, at_ms, at_ms)


@pytest.fixture
def minutes(parts: tuple[Sidecar, Clock]) -> Sidecar:
    """A row every minute of the hour after the start."""
    sidecar, clock = parts
    clock.ms = AFTER
    sidecar.timeline.add([flow(START + each * 60_000) for each in range(49)])
    return sidecar


def test_an_answer_is_as_of_its_instant(minutes: Sidecar) -> None:
    assert said(asked(minutes, [BTC], START)) == [0]
    assert said(asked(minutes, [BTC], START + 2 * CLOSE_MS)) == [30]
    assert said(asked(minutes, [BTC], START + 3 * CLOSE_MS + 60_001)) == [46]
    assert said(asked(minutes, [BTC])) == [48]
    assert said(asked(minutes, [BTC], START - CLOSE_MS)) == []


def test_since_adds_what_was_known_at_each_close_after_it(minutes: Sidecar) -> None:
    assert said(asked(minutes, [BTC], START + 2 * CLOSE_MS, START - CLOSE_MS)) == [0, 15, 30]
    assert said(asked(minutes, [BTC], START + 2 * CLOSE_MS, START)) == [15, 30]
    assert said(asked(minutes, [BTC], None, START + CLOSE_MS)) == [30, 45, 48]


def test_an_instant_of_the_past_off_the_grid_or_too_long_ago_is_refused(minutes: Sidecar) -> None:
    for at in (START + 1, START + 3 * CLOSE_MS - 1, START - 96 * CLOSE_MS):
        with pytest.raises(HTTPException) as caught:
            asked(minutes, [BTC], at)
        assert caught.value.status_code == 422


def test_the_future_is_not_answered_as_if_it_were_known(minutes: Sidecar) -> None:
    """What is made until then would be missing, and the bot would not ask again."""
    close = START + 4 * CLOSE_MS
    answer = asked(minutes, [BTC], close)
    assert answer["at_ms"] == AFTER
    minutes.timeline.add([flow(close - 500)])
    minutes.clock.monotonic_ms = lambda: float(close + 100)
    assert asked(minutes, [BTC], close)["at_ms"] == close
    assert said(asked(minutes, [BTC], close)) == [60]


def test_every_pair_asked_for_and_the_whole_market_are_there(parts: tuple[Sidecar, Clock]) -> None:
    sidecar, clock = parts
    clock.ms = START + 10
    sidecar.timeline.add([flow(START, "*")])
    answer = asked(sidecar, [ETH, BTC, ETH])
    assert list(answer["pairs"]) == [ETH, BTC, "*"]
    assert answer["pairs"][ETH] == {"components": [], "candles": {}}
    assert said(answer, "*") == [0]


def test_a_pair_asked_for_becomes_wanted_and_its_watch_begins(
    parts: tuple[Sidecar, Clock],
) -> None:
    sidecar, clock = parts
    asked(sidecar, [BTC, "*"])
    assert sidecar._wanted_changed.is_set()
    assert sidecar.demand.wanted(clock.ms) == [BTC]
    sidecar._wanted_changed.clear()
    asked(sidecar, [BTC])
    assert not sidecar._wanted_changed.is_set()


def filled(sidecar: Sidecar, until_ms: int) -> None:
    sidecar.watch.watch({"BTCUSDT": BTC})
    for timeframe, length in (("1m", 60_000), ("5m", 300_000), ("15m", CLOSE_MS)):
        opens = range(START - 9 * length, until_ms - length + 1, length)
        sidecar.watch.fill("BTCUSDT", timeframe, [(at, 10, 11, 9, 10, 1) for at in opens])


def test_an_answer_waits_for_the_candles_of_its_close(parts: tuple[Sidecar, Clock]) -> None:
    sidecar, clock = parts
    close = START + CLOSE_MS
    filled(sidecar, close - 60_000)
    clock.ms = close + 50

    async def story() -> dict[str, Any]:
        answering = asyncio.create_task(sidecar.answers.scores([BTC], close, None))
        while not sidecar.demand.wanted(clock.ms):
            await asyncio.sleep(0)
        for timeframe, length in (("1m", 60_000), ("5m", 300_000)):
            frame = frames.kline("BTCUSDT", timeframe, close - length)
            sidecar.watch.on_frame("futures", frame, close + 60)
        return orjson.loads(await answering)

    candles = asyncio.run(story())["pairs"][BTC]["candles"]
    assert {name: rows[-1][0] for name, rows in candles.items()} == {
        "1m": close - 60_000,
        "5m": close - 300_000,
    }


def test_the_wait_is_bounded(parts: tuple[Sidecar, Clock]) -> None:
    sidecar, _clock = parts
    close = START + CLOSE_MS
    filled(sidecar, START)
    looks = iter(range(0, 10_000, 50))
    sidecar.clock.monotonic_ms = lambda: float(close + next(looks))
    answer = asked(sidecar, [BTC], close)
    assert next(looks) <= 700
    assert answer["pairs"][BTC]["candles"]["1m"][-1][0] == START - 60_000


def test_no_candle_of_an_answer_closed_after_its_instant(parts: tuple[Sidecar, Clock]) -> None:
    sidecar, clock = parts
    filled(sidecar, START + 2 * CLOSE_MS)
    clock.ms = START + 2 * CLOSE_MS + 30_000
    answer = asked(sidecar, [BTC], START + CLOSE_MS, START)
    candles = answer["pairs"][BTC]["candles"]
    assert [row[0] for row in candles["5m"]] == [START, START + 300_000, START + 600_000]
    assert (candles["1m"][0][0], candles["1m"][-1][0]) == (START, START + CLOSE_MS - 60_000)


def test_what_a_bot_that_keeps_up_asks_for_is_encoded_before_it_asks(minutes: Sidecar) -> None:
    minutes.watch.watch({"BTCUSDT": BTC})
    close = START + 3 * CLOSE_MS
    minutes.answers.prepare()
    encoded = dict(minutes.timeline._fragments)
    assert said(asked(minutes, [BTC], close, close - CLOSE_MS)) == [45]
    assert {key: id(kept) for key, kept in minutes.timeline._fragments.items()} == {
        key: id(kept) for key, kept in encoded.items()
    }

"""What a bot is told live is what a backtest reads later, bit by bit, over restarts too."""

import asyncio
import contextlib
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import orjson
import pytest

from external_layers.binance.messages import OpenInterest
from external_layers.memory import remember
from external_layers.publisher import next_grid_ms
from external_layers.scanner.selection import ActivePair, SelectionState, state_to_json
from external_layers.service import Sidecar, is_of_market, seed_pairlist
from scalp_strategy.layers import ArchiveSource, LiveSource, layer_frame, live_source
from scalp_strategy.settings import Settings, with_overrides
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
from tests.unit.layers.evidence import candle_dates

SYMBOLS = {"BTCUSDT": BTC, "ETHUSDT": ETH}
LOOK_BACK = 20  # candles of the frame that a bot makes
GRID_S = 60


@dataclass
class World:
    """A seeded market, told to whichever sidecar runs."""

    chance: random.Random = field(default_factory=lambda: random.Random(5))
    price: dict[str, float] = field(default_factory=lambda: dict.fromkeys(SYMBOLS, 100.0))
    number: int = 0

    def tell(self, sidecar: Sidecar, since_ms: int, until_ms: int) -> None:
        """Let a stretch of time happen."""
        for symbol in sidecar.watch.symbols:
            bias = self.chance.random()
            for _ in range(12):
                at_ms = self.chance.randrange(since_ms, until_ms)
                self._trade(sidecar, symbol, at_ms, bias)
            self._rest(sidecar, symbol, until_ms)
        if self.chance.random() < 0.05:
            sidecar.watch.on_gap(["btcusdt@aggTrade"])

    def _trade(self, sidecar: Sidecar, symbol: str, at_ms: int, bias: float) -> None:
        self.number += 1
        self.price[symbol] *= 1.0 + self.chance.gauss(0.0, 0.0005)
        size = round(self.chance.paretovariate(1.2), 3)
        is_sell = self.chance.random() < bias
        price = round(self.price[symbol], 2)
        frame = frames.trade(symbol, self.number, at_ms, price, quantity=size, sell=is_sell)
        sidecar.watch.on_frame("futures", frame, at_ms + 5)

    def _rest(self, sidecar: Sidecar, symbol: str, at_ms: int) -> None:
        price, chance = round(self.price[symbol], 2), self.chance
        bids = [(round(price - 0.01 * n, 2), round(chance.random() * 9, 3)) for n in range(1, 21)]
        asks = [(round(price + 0.01 * n, 2), round(chance.random() * 9, 3)) for n in range(1, 21)]
        best = frames.best(symbol, self.number, at_ms - 40, bids, asks)
        sidecar.watch.on_frame("futures", best, at_ms)
        rate = chance.gauss(0.0, 0.0004)
        sidecar.watch.on_frame("futures", frames.mark(symbol, at_ms - 20, rate), at_ms)
        quantity = 1_000.0 + chance.gauss(0.0, 15.0)
        polled = OpenInterest(symbol=symbol, time_ms=at_ms - 30, quantity=quantity)
        sidecar.watch.on_open_interest(polled)


@contextlib.contextmanager
def running(folder: Path, at_ms: int) -> Iterator[tuple[Sidecar, Clock, str]]:
    """A sidecar that began at an instant, with what it remembers."""
    changes = {"sidecar__publish_s": GRID_S, "sidecar__candle_wait_ms": 0}
    with idle_sidecar(folder, at_ms, **changes) as (sidecar, clock):
        remember(sidecar.timeline, sidecar.reader, sidecar.settings, at_ms)
        with served(app_of(sidecar)) as url:
            yield sidecar, clock, url


def settings_for(url: str) -> Settings:
    return with_overrides(Settings(), {"sidecar.url": url, "sidecar.timeout_s": 5.0})


def last_row(source: LiveSource | ArchiveSource, pair: str, close: int) -> dict[str, object]:
    dates = candle_dates(LOOK_BACK, close - (LOOK_BACK - 1) * CLOSE_MS)
    return layer_frame(source, pair, dates, Settings()).iloc[-1].to_dict()


def live_row(url: str, close: int) -> dict[str, dict[str, object]]:
    """What a bot that begins at a close sees then."""
    source = live_source(settings_for(url), {})
    assert source.refresh(close, [BTC, ETH]).problem is None
    return {pair: last_row(source, pair, close) for pair in (BTC, ETH)}


class Bot:
    """A bot that reads at every close, over the restarts of its sidecar."""

    def __init__(self) -> None:
        self.source: LiveSource | None = None
        self.seen: dict[int, dict[str, dict[str, object]]] = {}

    def connect(self, url: str) -> None:
        fresh = live_source(settings_for(url), {})
        if self.source is not None:  # the address stays; here the port does not
            self.source._transport = fresh._transport
        else:
            self.source = fresh

    def look(self, url: str, close: int) -> None:
        assert self.source is not None
        assert self.source.refresh(close, [BTC, ETH]).problem is None
        self.seen[close] = {pair: last_row(self.source, pair, close) for pair in (BTC, ETH)}
        for pair, row in live_row(url, close).items():
            np.testing.assert_equal(row, self.seen[close][pair])


def lived(running_sidecar: tuple[Sidecar, Clock, str], world: World, bot: Bot, until: int) -> None:
    """Publish at every instant of the grid, and let the bot look shortly after each close."""
    sidecar, clock, url = running_sidecar
    while clock.ms < until:
        instant = min(next_grid_ms(clock.ms, sidecar.settings), until)
        world.tell(sidecar, clock.ms, instant)
        close = -(-instant // CLOSE_MS) * CLOSE_MS
        clock.ms = instant
        asyncio.run(sidecar.publisher.publish())
        if close - instant < 1_000:
            clock.ms = close + 120
            bot.look(url, close)


def test_live_and_archive_agree_bit_by_bit_at_every_close(tmp_path: Path) -> None:
    world, bot = World(), Bot()
    hour = 3_600_000
    begin = START + 100_000
    # (from, to, watched): a restart within a candle, an outage of hours, a pair left alone.
    lives = [
        (begin, begin + 2 * hour, SYMBOLS),
        (begin + 2 * hour + 200_000, begin + 3 * hour, {"BTCUSDT": BTC}),
        (begin + 8 * hour, begin + 9 * hour, {"BTCUSDT": BTC}),
        (begin + 9 * hour + 700_000, begin + 10 * hour, SYMBOLS),
    ]
    for since, until, watched in lives:
        with running(tmp_path, since) as life:
            bot.connect(life[2])
            # The first scan takes its time: for a while nobody is watched.
            close = -(-since // CLOSE_MS) * CLOSE_MS
            life[1].ms = close + 50
            bot.look(life[2], close)
            life[0].watch.watch(watched)
            lived(life, world, bot, until)
    archive = ArchiveSource(tmp_path)
    assert len(bot.seen) > 18
    known = 0
    for close, rows in bot.seen.items():
        for pair, row in rows.items():
            np.testing.assert_equal(row, last_row(archive, pair, close), err_msg=f"{pair} {close}")
            known += bool(row["orderflow_reliability"])
    assert known > 25


def test_a_restart_in_the_middle_of_a_candle_keeps_what_came_in_it(tmp_path: Path) -> None:
    world, bot = World(), Bot()
    with running(tmp_path, START) as life:
        bot.connect(life[2])
        life[0].watch.watch(SYMBOLS)
        lived(life, world, bot, START + CLOSE_MS + 400_000)
    close = START + 2 * CLOSE_MS
    with running(tmp_path, close - 30_000) as (_, clock, url):
        clock.ms = close + 50
        told = live_row(url, close)
    archived = {pair: last_row(ArchiveSource(tmp_path), pair, close) for pair in (BTC, ETH)}
    np.testing.assert_equal(told, archived)
    assert told[BTC]["orderflow_reliability"]


def test_a_selection_of_the_other_market_is_not_taken_over(tmp_path: Path) -> None:
    state = SelectionState({BTC: ActivePair(START, 80.0)})
    (tmp_path / "scanner.json").write_bytes(orjson.dumps(state_to_json(state)))
    with idle_sidecar(tmp_path) as (sidecar, _):
        assert list(sidecar.scanner.state.active) == [BTC]
    with idle_sidecar(tmp_path, kind="spot") as (sidecar, _):
        assert list(sidecar.scanner.state.active) == []


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"active": 7}'])
def test_a_spoilt_selection_is_no_obstacle(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "scanner.json").write_bytes(text)
    with idle_sidecar(tmp_path) as (sidecar, _):
        assert list(sidecar.scanner.state.active) == []


def test_the_bot_always_finds_a_pair_list_of_its_market(tmp_path: Path) -> None:
    with idle_sidecar(tmp_path) as (sidecar, _):
        file = sidecar.pairlist
        assert seed_pairlist(file, [ETH], "futures", 60) == [ETH]
        file.save([BTC, ETH], 60)
        assert seed_pairlist(file, [ETH], "futures", 60) == [BTC, ETH]
        assert seed_pairlist(file, ["SOL/USDT"], "spot", 60) == ["SOL/USDT"]
        file.path.write_text("spoilt")
        assert seed_pairlist(file, [ETH], "futures", 60) == file.load() == [ETH]
    assert is_of_market("SOL/USDT", "spot")

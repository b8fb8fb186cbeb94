"""Market, sidecar and bot as their own processes on a clock that the test sets, and a signal."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from pandas import DataFrame, Series

from external_layers.replay.exchange import ReplayExchange
from external_layers.replay.generator import GeneratedMarket
from external_layers.store.archive_reader import ArchiveReader
from scalp_strategy.contract import Side, to_wire
from scalp_strategy.layers import ArchiveSource, LayerSource, layer_frame
from scalp_strategy.settings import Settings, load_settings
from tests.support.bot import (
    CANDLE,
    MarketControl,
    PaperBot,
    Signal,
    scored,
    symbol_of,
    until,
)
from tests.support.market import running_market
from tests.support.shifted import SharedClock
from tests.support.sidecar import RunningSidecar

SEED = 7
BASES = ("BTC", "ETH", "SOL", "XRP", "DOGE")
TRADED = ("SOL", "XRP", "ETH")  # with enough trades in a short window
# An afternoon of the generated market, in hours without a shift of the thresholds.
SEARCHED_FROM = datetime(2026, 3, 2, 16, tzinfo=UTC)
SEARCHED_DAYS = 60
SEARCHED_CANDLES = 12
CANDLES_A_DAY = 96
# What the market's takers can make of the order flow, held low: the search finds more than enough.
PRESSED = {"reliability": 0.8, "for": 68.0, "against": 32.0}
TECHNICAL_SHARE = 0.35
FLUSH_S = 2
QUICK: dict[str, Any] = {
    "orderflow": {"window_s": 20, "open_interest_window_s": 60},
    "sidecar": {
        "publish_s": 5,
        "archive": {"flush_s": FLUSH_S},
        "feed": {"clock_poll_s": 1, "open_interest_poll_s": 5},
    },
    # Every pair of this small market is worth scanning.
    "scanner": {
        "refresh_s": 5,
        "min_pairs": len(BASES),
        "min_atr_pct": 0,
        "min_change_pct": 0,
        "min_liquidity_score": 0,
        "min_opportunity_score": 0,
    },
}
AHEAD = timedelta(minutes=5)  # before the close when the sidecar starts
# Before the close when all are ready: after a jump of the clock a full window must be heard anew,
# and after a long one the connections must be made anew first.
LAST = timedelta(seconds=30)
LAST_AFTER_LONG = timedelta(seconds=40)
BLIND = timedelta(seconds=2)
CANDLE_S = 75.0  # for the bot to analyse a candle, this wait for its close included


Row = dict[str, Any]


# ------------------------------------------------------------------------------------- the signal


@dataclass
class Clock:
    """What time it is in a market that has no socket."""

    now: datetime = SEARCHED_FROM

    def __call__(self) -> int:
        return round(self.now.timestamp() * 1_000)


def market_ahead(clock: Clock, mode: str) -> MarketControl:
    """Return the same market without a process: it can be asked about the candles to come."""
    exchange = ReplayExchange(GeneratedMarket(SEED, [f"{base}USDT" for base in BASES]), clock)

    def answer(request: httpx.Request) -> httpx.Response:
        found = exchange.answer(request.url.path, dict(request.url.params))
        return httpx.Response(found.status, json=found.body)

    return MarketControl("http://market", mode, httpx.MockTransport(answer))


def pair_of(base: str, mode: str) -> str:
    return f"{base}/USDT:USDT" if mode == "futures" else f"{base}/USDT"


def supportive(side: Side) -> dict[str, float]:
    against: Side = "short" if side == "long" else "long"
    return {
        f"orderflow_{side}": PRESSED["for"],
        f"orderflow_{against}": PRESSED["against"],
        "orderflow_reliability": PRESSED["reliability"],
    }


def made_by_flow(market: MarketControl, pair: str, side: Side) -> "Series[bool]":
    """Which candles enter with supportive order flow, do not without, and follow on no entry.

    On the candles' closes.
    """
    alone = scored(market, pair, load_settings({}))
    pressed = scored(market, pair, load_settings({}), supportive(side))
    is_entry = pressed[f"enter_{side}"].astype(bool)
    is_first = is_entry & ~is_entry.shift(1, fill_value=True)
    is_made = is_first & (alone["tier"] == 0) & (pressed["tier"] == 1)
    return is_made.set_axis(pressed["date"] + CANDLE)


def find_signal(mode: str, side: Side) -> Signal:
    """Return the first candle of the market that order flow alone makes a signal of."""
    found = signals_of_days(mode, side, SEARCHED_CANDLES)
    if signal := next(found, None):
        return signal
    raise AssertionError(f"no {side} in {SEARCHED_DAYS} days of the market")


def find_two_signals(
    mode: str, side: Side, apart: tuple[timedelta, timedelta]
) -> tuple[Signal, Signal]:
    """Return two such candles of one pair; the second follows within that span of the first."""
    seen: list[Signal] = []
    for signal in signals_of_days(mode, side, CANDLES_A_DAY):
        for earlier in seen:
            is_apart = apart[0] <= signal.close - earlier.close <= apart[1]
            if signal.pair == earlier.pair and is_apart:
                return earlier, signal
        seen.append(signal)
    raise AssertionError(f"no two {side}s in {SEARCHED_DAYS} days of the market")


def signals_of_days(mode: str, side: Side, candles: int) -> Iterator[Signal]:
    """Yield the signals that order flow alone makes among the last candles of each day, by pair."""
    clock = Clock()
    market = market_ahead(clock, mode)
    for day in range(SEARCHED_DAYS):
        for pair in (pair_of(base, mode) for base in TRADED):
            clock.now = SEARCHED_FROM + timedelta(days=day, seconds=1)
            found = made_by_flow(market, pair, side)[-candles:]
            for close in found.index[found]:
                # Seen from its own close, as the bot will.
                clock.now = close.to_pydatetime() + timedelta(seconds=1)
                if made_by_flow(market, pair, side).iloc[-1]:
                    price = market.candles(pair, "15m", 1)["close"].iloc[-1]
                    yield Signal(pair, side, close.to_pydatetime(), float(price))


# ------------------------------------------------------------------------------------ the players


@dataclass
class Stage:
    """Market, sidecar and bot on one clock, some minutes before a candle closes with a signal."""

    signal: Signal
    clock: SharedClock
    market: MarketControl
    sidecar: RunningSidecar
    bot: PaperBot
    settings: Settings
    pairs: list[str]

    def close_after(self, count: int) -> datetime:
        return self.signal.close + count * CANDLE

    def watch(self) -> None:
        """Start the sidecar and let it find every pair."""
        self.sidecar.start()
        self.sidecar.await_watch(self.pairs)

    def begin(self) -> None:
        """Start sidecar and bot, and go on to the moment before the signal's close."""
        self.watch()
        self.bot.boot()
        self.bot.trade()
        self.clock.jump_to(self.signal.close - LAST)

    def row(self, close: datetime) -> Row:
        """Wait until the bot has analysed the signal's pair at a close, and return its columns."""
        return until(
            lambda: self.bot.candle(self.signal.pair, close),
            f"the bot analyses {self.signal.pair} at {close:%H:%M}", CANDLE_S, self.bot.log_path,
        )  # fmt: skip

    def frame(self, source: LayerSource, closes: int) -> DataFrame:
        """Return what a source says at the signal's close and those around it, all pairs."""
        first = self.close_after(-closes)
        dates = DataFrame({"date": [first + CANDLE * each for each in range(2 * closes)]})["date"]
        frames = {
            pair: layer_frame(source, pair, dates, self.settings).set_index(dates)
            for pair in self.pairs
        }
        return DataFrame(
            {(pair, name): frame[name] for pair, frame in frames.items() for name in frame}
        )

    def say(self, **order: Any) -> None:
        """Set something in the market's outside world."""
        self.market.control("outside", **order)

    def events(self) -> list[dict[str, Any]]:
        return list(self.sidecar.get("/v1/events", after=0)["events"])


# What the bot needs to know of a sidecar: variables, and the address of the pair list.
Link = Callable[[RunningSidecar], tuple[dict[str, str], str]]


@contextlib.contextmanager
def staged(
    folder: Path, signal: Signal, mode: str, link: Link, **variables: str
) -> Iterator[Stage]:
    """Set the stage for a signal; takers press to its side from a while before its close on."""
    clock = SharedClock(folder / "clock", signal.close - AHEAD)
    pairs = [pair_of(base, mode) for base in BASES]
    common = environment(QUICK) | variables
    with running_market("--seed", str(SEED), "--symbols", ",".join(BASES), clock=clock) as url:
        market = MarketControl(url, mode)
        press(market, signal)
        sidecar = RunningSidecar(folder / "sidecar", url, pairs[:1], mode, common, clock)
        own, pairlist = link(sidecar)
        bot = PaperBot(
            folder / "bot", url, pairs[:1], mode, common | own, clock=clock,
            config={"scalp": {}, "pairlists": remote_pairlist(pairlist)},
        )  # fmt: skip
        settings = load_settings({"scalp": QUICK})
        try:
            yield Stage(signal, clock, market, sidecar, bot, settings, pairs)
        finally:
            bot.close()
            sidecar.close()


def press(market: MarketControl, signal: Signal) -> None:
    """Let takers press to a signal's side from a while before its close on."""
    market.control(
        "flow",
        symbol=symbol_of(signal.pair),
        buy_share=0.9 if signal.side == "long" else 0.1,
        at=ms(signal.close - AHEAD),
        minutes=120,
    )


def environment(section: dict[str, Any], prefix: str = "FREQTRADE__SCALP") -> dict[str, str]:
    """Return the variables that say the same as a `scalp` section."""
    variables: dict[str, str] = {}
    for name, value in section.items():
        key = f"{prefix}__{name.upper()}"
        variables |= environment(value, key) if isinstance(value, dict) else {key: str(value)}
    return variables


def remote_pairlist(url: str) -> list[dict[str, Any]]:
    return [
        {"method": "RemotePairList", "pairlist_url": url, "mode": "whitelist"}
        | {"number_assets": 40, "refresh_period": 5, "keep_pairlist_on_failure": True}
    ]


def ms(at: datetime) -> int:
    return round(at.timestamp() * 1_000)


@dataclass
class Given:
    """Collects every row that the sidecar gives out, until it is stopped."""

    sidecar: RunningSidecar
    pairs: list[str]
    rows: set[tuple[Any, ...]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._collect, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._is_over.set()
        self._thread.join()

    def _collect(self) -> None:
        query = {"pairs": ",".join(self.pairs)}
        with httpx.Client(base_url=self.sidecar.url, trust_env=False) as client:
            while not self._is_over.wait(0.3):
                try:
                    answer = client.get("/v1/scores", params=query)
                except httpx.HTTPError:
                    continue  # it is being killed, or started
                for one in answer.json()["pairs"].values():
                    self.rows |= {tuple(row) for row in one["components"]}


def archived(folder: Path) -> set[tuple[Any, ...]]:
    """Return every row of an archive that must be whole."""
    reader = ArchiveReader(folder)
    rows = {tuple(to_wire(one)) for layer in reader.layers() for one in reader.components(layer)}
    assert not reader.skipped, f"damaged files: {dict(reader.skipped)}"
    assert reader.dropped_rows == 0
    return rows


def check_rows(stage: Stage, decided: Row, recovered: Row) -> None:
    """Check that the bot's columns at the first and the third close are those of the archive."""
    archive = stage.frame(ArchiveSource(stage.sidecar.data), 3)
    for row, close in ((decided, stage.signal.close), (recovered, stage.close_after(2))):
        for name in ("orderflow_long", "orderflow_short", "orderflow_reliability"):
            expected = archive.loc[close - CANDLE, (stage.signal.pair, name)]
            assert row[name] == expected, (close, name)

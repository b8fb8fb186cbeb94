"""The outside sources in the running sidecar: asked, fed to the slow layers, told, remembered."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Final, NamedTuple, Protocol

import msgspec
import orjson
from aiohttp import ClientSession

from external_layers.binance.pacing import Timing
from external_layers.candles import CandleShelf
from external_layers.market_watch import MarketWatch
from external_layers.onchain.words import money
from external_layers.run_config import RunConfig
from external_layers.runner import Runner
from external_layers.sentiment.state import StateChange
from external_layers.sentiment.trend import Candles15m, candles_of
from external_layers.slow_layers import SlowLayers
from external_layers.sources.facts import Direction, Transfer
from external_layers.sources.facts import Fact as SourceFact
from external_layers.sources.registry import SOURCES
from external_layers.sources.spec import SourceSpec
from external_layers.store.event import Event, Fact
from external_layers.tokens import token_of
from scalp_strategy.contract import Component
from scalp_strategy.errors import PayloadError, StoreError
from scalp_strategy.files import replace_file
from scalp_strategy.settings import Settings

logger = logging.getLogger(__name__)

RUNNER_FILE: Final = "sources.json"
LAYERS_FILE: Final = "slow_layers.json"
_TIMEFRAME: Final = "15m"
_WHALE: Final = "whale"  # a kind of event
_SAME: Final = ("blockchain", "tx_hash", "token", "direction", "amount")  # of one transfer
_UNTOLD: Final = "untold"  # in the memory: whales that wait to be told
_HOUR_MS: Final = 3_600_000
_AHEAD_MS: Final = 600_000  # by which a memory may be ahead of the clock
_DONE: Final[dict[Direction, str]] = {
    "deposit": "deposited",
    "withdrawal": "withdrawn",
    "between_exchanges": "moved between exchanges",
    "between_wallets": "moved between wallets",
}


class Told(NamedTuple):
    """An event to be."""

    kind: str
    text: str
    pair: str | None
    data: dict[str, Fact]


class Tell(Protocol):
    """Gives an event its number and keeps it; waits for the disk."""

    def __call__(
        self, kind: str, text: str, pair: str | None, data: Mapping[str, Fact] | None = None
    ) -> None:
        """Tell an event."""


class Outside:
    """The slow layers and what feeds them.

    Parameters
    ----------
    config
        How the sidecar is to run.
    session
        The one client session; it is neither made nor closed here.
    timing
        Clocks, waiting and chance.
    watch
        The watched pairs, their prices and candles.
    listed_price
        US dollars of one unit of a pair that is listed but not watched, NaN unknown.
    tell
        Told each whale movement, change of regime or macro state, and trouble of a source.

    Raises
    ------
    ConfigError
        When the settings name a source or a provider that there is not.
    """

    def __init__(
        self,
        config: RunConfig,
        session: ClientSession,
        timing: Timing,
        watch: MarketWatch,
        listed_price: Callable[[str], float],
        tell: Tell,
    ) -> None:
        self._config = config
        self._watch = watch
        self._listed_price = listed_price
        self._tell = tell
        self._now_ms = timing.now_ms
        self._waiting: deque[Told] = deque()
        self._has_waiting = asyncio.Event()
        self._telling: asyncio.Task[None] | None = None
        self._saving = asyncio.Lock()
        self._candles: dict[str, tuple[CandleShelf, int, Candles15m]] = {}
        self._published_ms = 0
        self._taken: list[Told] = []
        self.layers, self._untold = _remembered(config)
        self.runner = Runner(
            SOURCES,
            session,
            config.settings,
            timing,
            config.data_dir / RUNNER_FILE,
            environment=config.source_keys,
            base_url=config.sources_url,
            market=lambda: (tuple(self.pairs().values()), self.price),
            deliver=self._deliver,
            on_change=self._on_change,
        )

    def resume(self, events: Iterable[Event]) -> None:
        """Tell the whales that were remembered and, killed in between, not told.

        Parameters
        ----------
        events
            Those told before, the newest at least.
        """
        told = {_whale_key(event.data) for event in events if event.kind == _WHALE}
        for one in self._untold:
            if _whale_key(one.data) not in told:
                self._queue(one)
        self._untold.clear()

    def check_memory(self) -> None:
        """Forget a memory of a time still to come; the clock has to be set by now.

        What was learnt while this machine's clock was ahead would be known only when time has
        caught up with it, and until then nothing else would be.
        """
        if self.layers.sentiment.at_ms > self._now_ms() + _AHEAD_MS:
            logger.warning("%s is of a time still to come and is not used", LAYERS_FILE)
            self.layers = SlowLayers(self._config.settings)

    async def start(self) -> None:
        """Begin to ask the sources."""
        await self.runner.start()

    async def stop(self) -> None:
        """End all questions; what is known is on the disk then."""
        await self.runner.stop()
        if self._telling is not None and not self._telling.done():
            await asyncio.wait([self._telling])
        await asyncio.to_thread(self._tell_all, list(self._waiting))
        self._waiting.clear()
        try:
            await self.save()
        except StoreError as error:  # the rest of the sidecar has to end all the same
            logger.error("what the slow layers learnt last is lost: %s", error)  # noqa: TRY400

    def pairs(self) -> dict[str, str]:
        """Return the watched pairs and their tokens."""
        return {pair: token_of(pair).ticker for pair in self._watch.watches}

    def price(self, token: str) -> float:
        """Return the US dollars of a token, NaN unknown; a dollar's own token is one dollar."""
        if token in self._config.settings.onchain.stablecoins:
            return 1.0
        for pair, watch in self._watch.watches.items():
            named = token_of(pair)
            if named.ticker != token:
                continue
            if rows := watch.shelves["1m"].last(1) or watch.shelves[_TIMEFRAME].last(1):
                return rows[-1][4] / named.bundle
        return self._listed_price(token)

    def publish(self, at_ms: int) -> list[Component]:
        """Return the rows of the slow layers that are due."""
        due = self.layers.due(self.pairs(), self._closed_candles(at_ms), at_ms)
        for change in self.layers.sentiment.changes():
            self._queue(_change_event(change))
        is_new_hour = at_ms // _HOUR_MS != self._published_ms // _HOUR_MS
        if self._published_ms and is_new_hour:
            self._queue(Told("sentiment", "how the market feels", None, self.layers.snapshot()))
        self._published_ms = at_ms
        return due

    async def until_waiting(self) -> None:
        """Wait until there is something to tell."""
        await self._has_waiting.wait()

    async def tell_waiting(self) -> None:
        """Tell what waits; each waits for the disk. Whoever ends this does not end the telling."""
        self._has_waiting.clear()
        taken = list(self._waiting)
        self._waiting.clear()
        self._telling = asyncio.create_task(self._tell_and_remember(taken))
        await asyncio.shield(self._telling)

    async def save(self) -> None:
        """Keep what the slow layers know.

        Raises
        ------
        StoreError
            When the disk refuses.
        """
        await asyncio.shield(self._save())

    # ---- what comes from the runner ----

    def _deliver(self, _spec: SourceSpec, facts: Sequence[SourceFact]) -> None:
        for transfer in self.layers.take(facts, self.price):
            self._queue(self._whale_event(transfer))

    def _on_change(self, source: str, problem: str | None) -> None:
        kind = "source_failed" if problem else "source_recovered"
        self._queue(Told(kind, f"{source}: {problem or 'works again'}", None, {"source": source}))

    # ---- how ----

    async def _save(self) -> None:
        async with self._saving:  # an older content must not come after a newer one
            self.layers.prune(self._now_ms())
            whales = [list(one) for one in (*self._taken, *self._waiting) if one.kind == _WHALE]
            body = orjson.dumps(self.layers.to_json() | {_UNTOLD: whales})
            await asyncio.to_thread(replace_file, self._config.data_dir / LAYERS_FILE, body)

    async def _tell_and_remember(self, taken: list[Told]) -> None:
        if any(told.kind == _WHALE for told in taken):
            # Remembered first, as not told: whenever the process is killed, each is told once.
            self._taken = taken
            with suppress(StoreError):  # the job that saves tells of it
                await self.save()
        await asyncio.to_thread(self._tell_all, taken)
        self._taken = []

    def _closed_candles(self, at_ms: int) -> dict[str, Candles15m]:
        found = {}
        for pair, watch in self._watch.watches.items():
            shelf = watch.shelves[_TIMEFRAME]
            held = self._candles.get(pair)
            if held is None or held[0] is not shelf or held[1] != shelf.revision:
                held = (shelf, shelf.revision, candles_of(shelf.closed_between(0, at_ms)))
                self._candles[pair] = held
            found[token_of(pair).ticker] = held[2]
        self._candles = {pair: self._candles[pair] for pair in self._watch.watches}
        return found

    def _whale_event(self, transfer: Transfer) -> Told:
        pair = next((one for one, token in self.pairs().items() if token == transfer.token), None)
        return Told(_WHALE, transfer_words(transfer), pair, _transfer_data(transfer))

    def _queue(self, told: Told) -> None:
        self._waiting.append(told)
        self._has_waiting.set()

    def _tell_all(self, waiting: list[Told]) -> None:
        for told in waiting:
            self._tell(told.kind, told.text, told.pair, told.data)


def transfer_words(transfer: Transfer) -> str:
    """Return a transfer in words, e.g. "$2.3M BTC withdrawn: Binance -> unknown wallet"."""
    ends = f"{transfer.origin.label} -> {transfer.target.label}"
    return f"{money(transfer.amount_usd)} {transfer.token} {_DONE[transfer.direction]}: {ends}"


def _change_event(change: StateChange) -> Told:
    why = f": {change.text}" if change.text else ""
    text = f"{change.kind} {change.old or 'unknown'} -> {change.new}{why}"
    return Told(change.kind, text, None, {"old": change.old, "new": change.new})


def _transfer_data(transfer: Transfer) -> dict[str, Fact]:
    return {
        "token": transfer.token,
        "amount": transfer.amount,
        "amount_usd": transfer.amount_usd,
        "direction": transfer.direction,
        "from_label": transfer.origin.label,
        "to_label": transfer.target.label,
        "blockchain": transfer.blockchain,
        "tx_hash": transfer.tx_hash,
        "observed_at_ms": transfer.observed_at_ms,
    }


def _whale_key(data: Mapping[str, Fact]) -> tuple[Fact, ...]:
    return tuple(
        data.get(name) for name in ("blockchain", "tx_hash", "token", "direction", "amount")
    )


def _remembered(config: RunConfig) -> tuple[SlowLayers, list[Told]]:
    """Return the slow layers as they were, and whales that may not have been told.

    What is not understood is left, and said.
    """
    path = config.data_dir / LAYERS_FILE
    settings: Settings = config.settings
    try:
        document = orjson.loads(path.read_bytes())
        layers = SlowLayers.from_json(settings, document)
        return layers, msgspec.convert(document.get(_UNTOLD, []), list[Told])
    except FileNotFoundError:
        return SlowLayers(settings), []
    except (OSError, orjson.JSONDecodeError, PayloadError, msgspec.ValidationError) as error:
        logger.warning("%s is not used: %s", path, error)
        return SlowLayers(settings), []

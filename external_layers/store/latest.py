"""The latest values: what every store of them does, and the one in memory."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Final

from external_layers.store.latest_rows import Candle, kept, merged_candles, newest_of_each
from scalp_strategy.contract.component import Component
from scalp_strategy.setting_groups.store import LatestSettings

_MS_PER_S: Final = 1_000


class LatestStore(ABC):
    """Keeps the latest components, candles and documents.

    Every method raises `StoreError` when the store cannot be reached in time; the caller keeps
    what it has and goes on. Nothing is raised twice for one failure: the next call tries again.
    """

    @property
    @abstractmethod
    def is_degraded(self) -> bool:
        """Whether the last call failed."""

    @abstractmethod
    async def put(self, components: Sequence[Component]) -> None:
        """Keep components; one never replaces another that was known later."""

    @abstractmethod
    async def get(self, layer: str, pairs: Collection[str] | None = None) -> list[Component]:
        """Return the latest component of each (pair, name) of a layer.

        Parameters
        ----------
        layer
            E.g. ``"orderflow"``.
        pairs
            The pairs asked for, ``"*"`` among them if wanted; None = all.
        """

    @abstractmethod
    async def put_candles(self, pair: str, timeframe: str, rows: Sequence[Candle]) -> None:
        """Add candles, or replace those of the same open time; the newest are kept.

        Parameters
        ----------
        pair, timeframe
            Freqtrade's name; ``"1m"`` or ``"5m"``.
        rows
            Rows of open (epoch milliseconds), open, high, low, close, volume; any order.
        """

    @abstractmethod
    async def get_candles(
        self, pairs: Collection[str], timeframe: str
    ) -> dict[str, list[list[float]]]:
        """Return the candles of those pairs that have any, oldest first."""

    @abstractmethod
    async def put_document(self, name: str, body: bytes, ttl_s: int) -> None:
        """Keep a document for `ttl_s` seconds."""

    @abstractmethod
    async def get_document(self, name: str) -> bytes | None:
        """Return a document, None when there is none any more."""

    @abstractmethod
    async def ping(self) -> None:
        """Do nothing, if the store can be reached."""

    @abstractmethod
    async def close(self) -> None:
        """Let go of connections; the store must not be used any more."""


class MemoryLatest(LatestStore):
    """Keeps latest values in this process.

    Parameters
    ----------
    now_ms
        The clock, epoch milliseconds.
    settings
        How long values live.
    """

    def __init__(self, now_ms: Callable[[], int], settings: LatestSettings | None = None) -> None:
        self._now_ms = now_ms
        self._settings = settings or LatestSettings()
        self._rows: dict[str, dict[str, list[Component]]] = {}
        self._candles: dict[str, dict[str, tuple[int, list[list[float]]]]] = {}
        self._documents: dict[str, tuple[int, bytes]] = {}

    @property
    def is_degraded(self) -> bool:
        """Never: memory answers."""
        return False

    async def put(self, components: Sequence[Component]) -> None:
        """Keep components; one never replaces another that was known later."""
        for layer in {layer for layer, _ in self.merge(components)}:
            self.forget_old(layer)

    async def get(self, layer: str, pairs: Collection[str] | None = None) -> list[Component]:
        """Return the latest component of each (pair, name) of a layer."""
        held = self._rows.get(layer, {})
        oldest_ms = self.oldest_ms(layer)
        asked = held if pairs is None else [pair for pair in pairs if pair in held]
        return [one for pair in asked for one in newest_of_each(held[pair], oldest_ms)]

    async def put_candles(self, pair: str, timeframe: str, rows: Sequence[Candle]) -> None:
        """Add candles, or replace those of the same open time; the newest are kept."""
        self.merge_candles(pair, timeframe, rows)

    async def get_candles(
        self, pairs: Collection[str], timeframe: str
    ) -> dict[str, list[list[float]]]:
        """Return the candles of those pairs that have any, oldest first."""
        return {pair: rows for pair in pairs if (rows := self.candles_of(pair, timeframe))}

    async def put_document(self, name: str, body: bytes, ttl_s: int) -> None:
        """Keep a document for `ttl_s` seconds."""
        self._documents[name] = (self._now_ms() + ttl_s * _MS_PER_S, body)

    async def get_document(self, name: str) -> bytes | None:
        """Return a document, None when there is none any more."""
        ends_ms, body = self._documents.get(name, (0, b""))
        if ends_ms > self._now_ms():
            return body
        self._documents.pop(name, None)
        return None

    async def ping(self) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""

    def merge(self, components: Iterable[Component]) -> set[tuple[str, str]]:
        """Keep components and return the (layer, pair) that they belong to."""
        groups: dict[tuple[str, str], list[Component]] = {}
        for one in components:
            groups.setdefault((one.layer, one.pair), []).append(one)
        for (layer, pair), new in groups.items():
            held = self._rows.setdefault(layer, {})
            held[pair] = kept(held.get(pair, ()), new, self._now_ms())
        return set(groups)

    def rows_of(self, layer: str) -> dict[str, list[Component]]:
        """Return all that is kept of a layer by pair, the rows of the last 15m close too."""
        return self._rows.get(layer, {})

    def forget_old(self, layer: str) -> set[str]:
        """Drop the pairs of a layer of which nothing is young enough, and return them."""
        oldest_ms = self.oldest_ms(layer)
        held = self._rows.get(layer, {})
        old = {pair for pair, rows in held.items() if not newest_of_each(rows, oldest_ms)}
        for pair in old:
            del held[pair]
        return old

    def oldest_ms(self, layer: str) -> int:
        """Return the `available_at` before which a component of a layer is gone."""
        return self._now_ms() - self._settings.ttl_s(layer) * _MS_PER_S

    def merge_candles(self, pair: str, timeframe: str, rows: Iterable[Candle]) -> None:
        """Add candles, or replace those of the same open time; the newest are kept."""
        ends_ms = self._now_ms() + self._settings.candle_ttl_s * _MS_PER_S
        held = self.candles_of(pair, timeframe)
        merged = merged_candles(held, rows, self._settings.candle_rows)
        self._candles.setdefault(timeframe, {})[pair] = (ends_ms, merged)

    def candles_of(self, pair: str, timeframe: str) -> list[list[float]]:
        """Return the candles of a pair, oldest first; none when they are too old."""
        ends_ms, rows = self._candles.get(timeframe, {}).get(pair, (0, []))
        return rows if ends_ms > self._now_ms() else []

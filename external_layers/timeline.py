"""What was known at each 15m close: the components at hand, and the body of an answer.

Between the last close and now every published component is kept; of the time before only what was
known at each close, which is what a backtest sees too. A body is encoded once for each pair, span
and state of its candles, and joined from there on.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final

import orjson

from external_layers.candles import CandleShelf
from scalp_strategy.contract import CANDLE_MS, Component, to_wire

_FRAGMENTS: Final = 1_024
_SHORT_SPAN_MS: Final = 2 * CANDLE_MS  # a client that keeps up; longer answers are not kept

Key = tuple[str, str]  # layer, name


def floor_close(at_ms: int) -> int:
    """Return the last 15m close at or before an instant."""
    return at_ms // CANDLE_MS * CANDLE_MS


class Timeline:
    """Components of all pairs, as of now and of every close of the last hours.

    Parameters
    ----------
    history_s
        Seconds of closes that are kept.
    """

    def __init__(self, history_s: int) -> None:
        self._history_ms = history_s * 1_000
        self._rows: dict[str, dict[Key, list[Component]]] = {}
        self._fragments: OrderedDict[tuple[str, int, int], tuple[object, bytes]] = OrderedDict()
        self._revision: dict[str, int] = {}

    @property
    def pairs(self) -> list[str]:
        """Pairs that anything is known of, market-wide evidence under ``"*"``."""
        return list(self._rows)

    def __contains__(self, pair: str) -> bool:
        return pair in self._rows

    def add(self, components: Iterable[Component]) -> None:
        """Take components in the order they became available; an older one is put in its place."""
        for one in components:
            rows = self._rows.setdefault(one.pair, {}).setdefault((one.layer, one.name), [])
            rows.append(one)
            if len(rows) > 1 and rows[-2].available_at_ms > one.available_at_ms:
                rows.sort(key=lambda each: each.available_at_ms)
            self._revision[one.pair] = self._revision.get(one.pair, 0) + 1

    def prune(self, now_ms: int) -> None:
        """Forget what no answer needs: between past closes, and before the history begins."""
        close = floor_close(now_ms)
        for by_key in self._rows.values():
            for key, rows in by_key.items():
                by_key[key] = _pruned(rows, close, close - self._history_ms)

    def as_of(self, pair: str, at_ms: int) -> list[Component]:
        """Return the components of a pair known at an instant, the newest of each."""
        found = (_last(rows, at_ms) for rows in self._rows.get(pair, {}).values())
        return [one for one in found if one is not None]

    def known_at_closes(self, pair: str, since_ms: int | None, at_ms: int) -> list[Component]:
        """Return the components known at each close in (since, at] and at `at`, each once."""
        if since_ms is None:
            return self.as_of(pair, at_ms)
        first = max(since_ms, at_ms - self._history_ms)
        earlier = range(floor_close(first) + CANDLE_MS, at_ms, CANDLE_MS)
        if not earlier:
            return self.as_of(pair, at_ms)
        instants = [*earlier, at_ms]
        found: list[Component] = []
        for rows in self._rows.get(pair, {}).values():
            known = (_last(rows, instant) for instant in instants)
            found += {id(one): one for one in known if one is not None}.values()
        return found

    def fragment(
        self,
        pair: str,
        span_ms: tuple[int | None, int],
        shelves: dict[str, CandleShelf],
        candle_rows: int,
    ) -> bytes:
        """Return the JSON of one pair in an answer: components and closed candles.

        Parameters
        ----------
        pair
            Freqtrade's name, or ``"*"``.
        span_ms
            `since` (None = only as of `at`) and `at`.
        shelves
            The pair's candles by timeframe.
        candle_rows
            Most candles of one timeframe.
        """
        since, at = span_ms
        state = (self._revision.get(pair, 0), *(shelf.revision for shelf in shelves.values()))
        key = (pair, -1 if since is None else since, at)
        held = self._fragments.get(key)
        if held is not None and held[0] == state:
            return held[1]
        candles = {
            timeframe: shelf.closed_between(since or 0, at)[-candle_rows:]
            for timeframe, shelf in shelves.items()
        }
        rows = [to_wire(one) for one in self.known_at_closes(pair, since, at)]
        body = orjson.dumps({"components": rows, "candles": candles})
        if since is not None and at - since <= _SHORT_SPAN_MS:
            self._keep(key, state, body)
        return body

    def _keep(self, key: tuple[str, int, int], state: object, body: bytes) -> None:
        self._fragments[key] = (state, body)
        if len(self._fragments) > _FRAGMENTS:
            self._fragments.popitem(last=False)


def _last(rows: Sequence[Component], at_ms: int) -> Component | None:
    for one in reversed(rows):
        if one.available_at_ms <= at_ms:
            return one
    return None


def _pruned(rows: list[Component], close_ms: int, oldest_ms: int) -> list[Component]:
    """Keep the newest row, those since the last close, and what was known at an earlier close."""
    kept = []
    for one, following in pairwise(rows):
        last_close = floor_close(following.available_at_ms - 1)
        was_known_at_close = last_close >= max(one.available_at_ms, oldest_ms)
        if one.available_at_ms > close_ms or was_known_at_close:
            kept.append(one)
    return [*kept, rows[-1]]

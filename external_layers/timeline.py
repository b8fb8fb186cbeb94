"""What was known at each 15m close: the components at hand, and the body of an answer.

Between the last close and now every published component is kept; of the time before only what
counted at each close, the last word and the last known one, which is what a backtest sees too. A
body is encoded once for each pair, span and state of its candles, and joined from there on.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
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
        """Return the components of a pair at an instant, the newest of each."""
        found = (_last(rows, at_ms) for rows in self._rows.get(pair, {}).values())
        return [one for one in found if one is not None]

    def last_words(self, pair: str, since_ms: int | None, at_ms: int) -> list[Component]:
        """Return what counts at each close in (since, at] and at `at`, each component once.

        Of each name that is the newest, and the newest that is known: what a component said last is
        remembered when it turns silent.
        """
        instants = [*self._closes(since_ms, at_ms), at_ms]
        found: list[Component] = []
        for rows in self._rows.get(pair, {}).values():
            words = {id(one) for instant in instants for one in _last_words(rows, instant)}
            # In their order: of two that were known at the same instant the later one is the last.
            found += [one for one in rows if id(one) in words]
        return found

    def _closes(self, since_ms: int | None, at_ms: int) -> range:
        if since_ms is None:
            return range(0)
        first = max(since_ms, at_ms - self._history_ms)
        return range(floor_close(first) + CANDLE_MS, at_ms, CANDLE_MS)

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
        rows = [to_wire(one) for one in self.last_words(pair, since, at)]
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


def _last_words(rows: Sequence[Component], at_ms: int) -> Iterator[Component]:
    """Give the last row by an instant and, where that is unknown, the last known one before it."""
    is_first = True
    for one in reversed(rows):
        if one.available_at_ms <= at_ms and (is_first or one.is_known):
            yield one
            is_first = False
            if one.is_known:
                return


def _pruned(rows: list[Component], close_ms: int, oldest_ms: int) -> list[Component]:
    """Keep the rows since the last close, and the last words of now and of each earlier close."""
    known = [one for one in rows if one.is_known]
    counted = {id(one) for each in (rows, known) for one in _counted(each, oldest_ms)}
    return [one for one in rows if one.available_at_ms > close_ms or id(one) in counted]


def _counted(rows: Sequence[Component], oldest_ms: int) -> Iterator[Component]:
    for one, following in pairwise(rows):
        last_close = floor_close(following.available_at_ms - 1)
        if last_close >= max(one.available_at_ms, oldest_ms):
            yield one
    yield from rows[-1:]

"""Which components and candles count as the latest (pure)."""

from collections.abc import Iterable, Sequence

from scalp_strategy.contract import CANDLE_MS, Component

Candle = Sequence[float]


def kept(held: Iterable[Component], new: Iterable[Component], now_ms: int) -> list[Component]:
    """Return the components of a pair that a reader may still need, oldest first.

    Parameters
    ----------
    held, new
        Components of one layer and one pair. Of two that were known at the same time the later one
        counts, the new after the held.
    now_ms
        Epoch milliseconds.

    Returns
    -------
    list of Component
        Of each name the newest, and the newest by the last 15m close: a bot that asks a moment
        after the close must see what was said at it. Of both also the newest that is known: what a
        component said last is remembered when it turns silent.
    """
    close_ms = now_ms - now_ms % CANDLE_MS
    ordered = sorted([*held, *new], key=lambda one: one.available_at_ms)
    by_close = [one for one in ordered if one.available_at_ms <= close_ms]
    wanted = {id(one) for rows in (ordered, by_close) for one in _last_words(rows)}
    # Each once: what is read back from Redis is put beside itself.
    return list({id(one): one for one in ordered if id(one) in wanted}.values())


def _last_words(ordered: Sequence[Component]) -> list[Component]:
    newest = {one.name: one for one in ordered}
    known = {one.name: one for one in ordered if one.is_known}
    return [*newest.values(), *known.values()]


def newest_of_each(rows: Iterable[Component], oldest_ms: int) -> list[Component]:
    """Return the newest component of each name, those known before `oldest_ms` left out."""
    newest = {one.name: one for one in sorted(rows, key=lambda one: one.available_at_ms)}
    return [one for one in newest.values() if one.available_at_ms >= oldest_ms]


def merged_candles(held: Iterable[Candle], new: Iterable[Candle], most: int) -> list[list[float]]:
    """Return the newest `most` candles by open time; a new one replaces a held one.

    Parameters
    ----------
    held, new
        Rows of open (epoch milliseconds), open, high, low, close, volume.
    most
        Candles to keep.
    """
    by_open = {int(row[0]): [int(row[0]), *map(float, row[1:])] for row in (*held, *new)}
    return [by_open[opened] for opened in sorted(by_open)][-most:]

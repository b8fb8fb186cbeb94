"""Past days of the slow layers: what was known at each close, through the live code. Pure."""

import hashlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from typing import Final

import msgspec
import numpy as np

from external_layers.binance.messages import MarketKind
from external_layers.history.day import Grid
from external_layers.sentiment.trend import Candles15m
from external_layers.slow_layers import SlowLayers
from external_layers.sources.facts import Reading
from external_layers.tokens import REFERENCE_PAIR, token_of
from scalp_strategy.contract import Component
from scalp_strategy.contract.archive import day_of
from scalp_strategy.settings import Settings

WARM_UP_DAYS: Final = 4  # for the longest window of the trend and the regime's confirmation


@dataclass(frozen=True, slots=True, eq=False)
class SlowInputs:
    """What past days are made from.

    Attributes
    ----------
    readings
        In the order in which they could be known.
    btc
        Closed 15m candles of BTC, oldest first; None = the market regime stays unknown.
    """

    readings: Sequence[Reading]
    btc: Candles15m | None

    @property
    def name(self) -> str:
        """Twelve hexadecimal digits that name these inputs."""
        digest = hashlib.sha256()
        for one in self.readings:
            digest.update(msgspec.json.encode(one))
        for array in self.btc or ():
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()[:12]


def in_order(readings: Iterable[Reading]) -> list[Reading]:
    """Return readings in the order in which they could be known."""
    return sorted(
        readings,
        key=lambda one: (one.available_at_ms, one.observed_at_ms, one.series, one.subject),
    )


def slow_days(
    settings: Settings, inputs: SlowInputs, days: Sequence[date], grid: Grid, kind: MarketKind
) -> Iterator[tuple[date, list[Component]]]:
    """Yield the components of each day at the instants of the grid.

    Parameters
    ----------
    settings
        The effective settings.
    inputs
        Readings and candles; what becomes known after an instant does not count at it.
    days
        UTC days without a hole, oldest first.
    grid
        When components are taken.
    kind
        The market, for the name of BTC's pair.

    Notes
    -----
    A row belongs to the day of its `available_at`. Some days before the first are gone through
    unseen, so that nothing depends on where the first day lies.
    """
    first = days[0] - timedelta(days=WARM_UP_DAYS)
    instants = (
        at
        for number in range((days[-1] - first).days + 1)
        for at in grid.instants(first + timedelta(days=number))
    )
    made = _made(SlowLayers(settings), inputs, instants, REFERENCE_PAIR[kind])
    wanted = set(days)
    for day, rows in groupby(made, key=lambda row: day_of(row[0])):
        if day in wanted:
            yield day, [one for _, components in rows for one in components]


def _made(
    layers: SlowLayers, inputs: SlowInputs, instants: Iterable[int], pair: str
) -> Iterator[tuple[int, list[Component]]]:
    known = [one.available_at_ms for one in inputs.readings]
    pairs = {pair: token_of(pair).ticker}
    candles = {} if inputs.btc is None else {pairs[pair]: inputs.btc}
    taken = 0
    for at in instants:
        upto = bisect_right(known, at)
        layers.take(inputs.readings[taken:upto], _no_price)
        taken = upto
        yield at, layers.all_of(pairs, candles, at)


def _no_price(_token: str) -> float:
    return float("nan")

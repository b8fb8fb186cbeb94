"""What a running bot remembers of the past: more than the candles it is given at a time."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from scalp_strategy.base_rate.outcomes import NOT_RESOLVED, Occurrences, joined
from scalp_strategy.base_rate.rates import (
    CANDLES_PER_DAY,
    NOTHING,
    Opening,
    Past,
    Tally,
    past_of,
    settled,
    tally,
)
from scalp_strategy.base_rate.setups import side_places
from scalp_strategy.contract import SIDES
from scalp_strategy.settings import Settings
from scalp_strategy.technical.arrays import IntArray


class Memory:
    """The occurrences of every pair that a bot has seen, for `base_rate.memory_days`.

    Parameters
    ----------
    settings : Settings
        What is remembered how long, and how it is added up.

    Notes
    -----
    The candles of a pair are given again and again, each time one later. What is known stays as it
    was found first, when the most candles lay before it; what had not ended is completed.

    What ended before the candles that a bot is shown is added up once a day; a candle costs what
    has happened since, however much is remembered.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._pairs: dict[str, Occurrences] = {}
        self._openings: _Openings | None = None
        self._past: Past | None = None
        self._past_candle = -1

    def add(self, pair: str, found: Occurrences) -> None:
        """Remember what was found in a pair's candles, in order of candle."""
        held = self._pairs.get(pair, joined(()))
        new, completed = _news(held, found)
        if new.size or completed[1].size:
            self._drop_what_is_late(found, new, completed[1])
            self._pairs[pair] = _merged(held, found, new, completed)

    def past(self, first: int, last: int) -> Past:
        """Return the past of all pairs, for questions about candles from the first to the last.

        Kept for the other pairs of the last candle: what ends in it is asked about in the next.
        """
        opening = self._opened(first, last)
        if self._past is None or last > self._past_candle:
            recent = joined([self._since(pair, opening.candle) for pair in sorted(self._pairs)])
            self._past = past_of(recent, self._settings, opening.past)
            self._past_candle = last
        return self._past

    def own(self, pair: str, first: int, last: int) -> Tally:
        """Return a pair's own past by group, for the same candles."""
        opening = self._opened(first, last)
        if pair not in opening.own:
            whole = self._since(pair, -1)
            opening.own[pair] = settled(self._tally(whole, NOTHING), opening.candle)
        return self._tally(self._since(pair, opening.candle), opening.own[pair])

    @property
    def pairs(self) -> Mapping[str, Occurrences]:
        """What is remembered, by pair."""
        return self._pairs

    def _tally(self, occurrences: Occurrences, opening: Opening) -> Tally:
        return tally(occurrences, occurrences.group, self._settings, opening)

    def _since(self, pair: str, candle: int) -> Occurrences:
        # What ends later began at most one holding time before, and overlaps as far back again.
        held = self._pairs.get(pair, joined(()))
        margin = 2 * self._settings.risk.ladder.max_hold_candles + 2
        return held.part(slice(int(np.searchsorted(held.candle, candle - margin)), None))

    def _opened(self, first: int, last: int) -> "_Openings":
        kept = self._openings
        if kept is None or first <= kept.candle or last >= kept.made_at + CANDLES_PER_DAY:
            self._forget_before(last - self._settings.base_rate.memory_days * CANDLES_PER_DAY)
            together = joined([self._pairs[pair] for pair in sorted(self._pairs)])
            by_group, by_side = past_of(together, self._settings)
            candle = first - 1
            kept = _Openings(candle, last, (settled(by_group, candle), settled(by_side, candle)))
            self._openings, self._past = kept, None
        return kept

    def _drop_what_is_late(self, found: Occurrences, new: IntArray, completed: IntArray) -> None:
        # What lies before the candles that were added up for changes their sums.
        begun = found.candle[new].min(initial=NOT_RESOLVED)
        ended = found.resolved[np.concatenate((new, completed))].min(initial=NOT_RESOLVED)
        if begun < self._past_candle - 1 or ended < self._past_candle:
            self._past = None
        if self._openings is not None and min(begun, ended) <= self._openings.candle:
            self._openings = None

    def _forget_before(self, candle: int) -> None:
        for pair, held in list(self._pairs.items()):
            kept = held.part(slice(int(np.searchsorted(held.candle, candle)), None))
            if kept.candle.size:
                self._pairs[pair] = kept
            else:
                del self._pairs[pair]


@dataclass(frozen=True, slots=True)
class _Openings:
    """The sums up to `candle`, made at a candle; those of a pair when it is first asked for."""

    candle: int
    made_at: int
    past: tuple[Opening, Opening]
    own: dict[str, Opening] = field(default_factory=dict)


def _news(held: Occurrences, found: Occurrences) -> tuple[IntArray, tuple[IntArray, IntArray]]:
    """Return the rows found anew, and the rows held and found of those that have ended since."""
    known, asked = _identities(held), _identities(found)
    place = np.searchsorted(known, asked)
    is_known = np.zeros(asked.size, dtype=np.bool_)
    inside = place < known.size
    is_known[inside] = known[place[inside]] == asked[inside]
    again = np.flatnonzero(is_known)
    waiting = held.resolved[place[again]] == NOT_RESOLVED
    again = again[waiting & (found.resolved[again] != NOT_RESOLVED)]
    return np.flatnonzero(~is_known), (place[again], again)


def _merged(
    held: Occurrences,
    found: Occurrences,
    new: IntArray,
    completed: tuple[IntArray, IntArray],
) -> Occurrences:
    resolved, gross, net = held.resolved.copy(), held.gross_r.copy(), held.net_r.copy()
    rows, ends = completed
    resolved[rows], gross[rows], net[rows] = (
        found.resolved[ends],
        found.gross_r[ends],
        found.net_r[ends],
    )
    known = Occurrences(held.candle, held.group, resolved, gross, net)
    merged = joined((known, found.part(new)))
    return merged.part(np.argsort(_identities(merged), kind="stable"))


def _identities(occurrences: Occurrences) -> IntArray:
    # A candle begins at most one occurrence of each side.
    return occurrences.candle * len(SIDES) + side_places(occurrences.group)

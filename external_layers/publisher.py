"""Scores on a fixed grid: made, put at hand, kept in the archive, laid out for other readers."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final, Protocol

from external_layers.market_watch import MarketWatch
from external_layers.timeline import Timeline
from scalp_strategy.contract import CANDLE_MS, Component
from scalp_strategy.settings import Settings

_MS_PER_S: Final = 1_000


class Archive(Protocol):
    """Where every component that was ever given is kept."""

    def append(self, components: Iterable[Component]) -> None:
        """Take components; they are written soon."""


def next_grid_ms(now_ms: int, settings: Settings) -> int:
    """Return the next instant at which scores are made, after `now_ms`.

    Scores are made shortly before each multiple of `publish_s`, so that a candle's close finds
    new ones that were known by then.

    Examples
    --------
    >>> next_grid_ms(0, Settings()), next_grid_ms(14_500, Settings())
    (14500, 29500)
    """
    step = settings.sidecar.publish_s * _MS_PER_S
    lead = settings.sidecar.publish_lead_ms
    return (now_ms + lead) // step * step + step - lead


class Publisher:
    """Makes the components of every watched pair and hands them on.

    Parameters
    ----------
    watch
        The watched pairs.
    timeline
        What is at hand.
    archive
        What is kept.
    now_ms
        The exchange's clock.
    slow
        Gives the rows of the slow layers that are due at an instant.
    """

    def __init__(
        self,
        watch: MarketWatch,
        timeline: Timeline,
        archive: Archive,
        now_ms: Callable[[], int],
        slow: Callable[[int], list[Component]] = lambda _at_ms: [],
    ) -> None:
        self.published_ms = 0
        self._watch = watch
        self._timeline = timeline
        self._archive = archive
        self._now_ms = now_ms
        self._slow = slow
        self._pruned_ms = 0

    async def publish(self) -> list[Component]:
        """Make and keep the components of all pairs, and what the slow layers have; return them.

        Each pair's are known at the instant they are made. Other tasks get their turn in between.
        A bug that one pair's data brings to light is raised when the others are done.
        """
        made: list[Component] = []
        bugs: list[Exception] = []
        for symbol in list(self._watch.symbols):
            try:
                made += self._kept(self._watch.components(symbol, self._now_ms()))
            except Exception as error:  # noqa: BLE001 - one pair must not silence the others
                bugs.append(error)
            await asyncio.sleep(0)
        try:
            made += self._kept(self._slow(self._now_ms()))
        except Exception as error:  # noqa: BLE001 - nor one layer the other
            bugs.append(error)
        self.published_ms = now = self._now_ms()
        if now // CANDLE_MS != self._pruned_ms // CANDLE_MS:
            self._timeline.prune(now)
            self._pruned_ms = now
        if bugs:
            raise bugs[0]
        return made

    def _kept(self, components: list[Component]) -> list[Component]:
        self._archive.append(components)
        self._timeline.add(components)
        return components

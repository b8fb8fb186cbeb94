"""Things that happen at random instants, some an hour, made when they are asked for."""

from collections.abc import Callable
from typing import Final, Generic, NamedTuple, TypeVar

import numpy as np

from external_layers.replay.outside.scene import HOUR_MS, Scene
from external_layers.replay.randomness import stream

_HOURS: Final = 400  # of draws kept
_THINGS: Final = 5_000  # kept

T = TypeVar("T")
Make = Callable[[str, np.random.Generator, int], T]


class Drawn(NamedTuple):
    """That something happens: which one of its kind, and when (market time)."""

    key: str
    at_ms: int


class Happenings(Generic[T]):
    """Things of one kind.

    Parameters
    ----------
    scene
        The world.
    name
        Their kind: separates independent uses of the seed.
    per_hour
        Their mean number.
    make
        Makes one of its key, numbers drawn for it alone, and its wall time, which has passed.
    """

    def __init__(self, scene: Scene, name: str, per_hour: float, make: Make[T]) -> None:
        self._scene = scene
        self._name = name
        self._per_hour = per_hour
        self._make = make
        self._drawn: dict[int, list[Drawn]] = {}
        self._made: dict[tuple[str, tuple[int, int, bool]], T] = {}

    def between(self, start_ms: int, stop_ms: int) -> list[T]:
        """Return what has happened in [start, stop), oldest first; nothing is told in advance."""
        shift_ms = self._scene.shift_ms
        start, stop = start_ms + shift_ms, min(stop_ms, self._scene.now_ms + 1) + shift_ms
        hours = range(start // HOUR_MS, (stop - 1) // HOUR_MS + 1)
        found = [each for hour in hours for each in self._of(hour) if start <= each.at_ms < stop]
        return [self._thing(each, each.at_ms - shift_ms) for each in found]

    def _of(self, hour: int) -> list[Drawn]:
        if hour not in self._drawn:
            if len(self._drawn) > _HOURS:
                self._drawn.clear()
            rng = stream(self._scene.seed, "outside", self._name, hour)
            offsets = np.sort(rng.integers(HOUR_MS, size=rng.poisson(self._per_hour))).tolist()
            self._drawn[hour] = [
                Drawn(f"{self._name}:{hour}:{number}", hour * HOUR_MS + offset)
                for number, offset in enumerate(offsets)
            ]
        return self._drawn[hour]

    def _thing(self, drawn: Drawn, at_ms: int) -> T:
        key = (drawn.key, self._scene.version)
        if key not in self._made:
            if len(self._made) > _THINGS:
                self._made.clear()
            rng = stream(self._scene.seed, "outside", drawn.key)
            self._made[key] = self._make(drawn.key, rng, at_ms)
        return self._made[key]

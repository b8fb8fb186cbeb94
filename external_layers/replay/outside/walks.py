"""Numbers that wander: each a function of seed, name and place, never of what was asked before."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from external_layers.replay.randomness import Key, salt, uniforms

_LEAST_WEIGHT: Final = 0.01  # of a step that is still remembered
_UNIT: Final = 12.0**0.5  # makes the variance of a uniform 1

Floats = NDArray[np.float64]


def noise(seed: int, key: tuple[Key, ...], first: int, count: int) -> Floats:
    """Return independent numbers of mean 0 and variance 1 for the places from `first` on."""
    places = np.arange(first, first + count, dtype=np.int64)
    drawn: Floats = (uniforms(salt(seed, "outside", *key), places) - 0.5) * _UNIT
    return drawn


def wander(seed: int, key: tuple[Key, ...], first: int, count: int, persistence: float) -> Floats:
    """Return a walk that always returns to 0, of variance about 1, for the places from `first` on.

    ``x(k) = sum_j persistence^j e(k - j)``, scaled, over the steps that still weigh something.

    Parameters
    ----------
    persistence
        Share of a deviation that is left a step later, in [0, 1).
    """
    memory = int(np.ceil(np.log(_LEAST_WEIGHT) / np.log(max(persistence, 1e-6)))) + 1
    steps = noise(seed, key, first - memory + 1, count + memory - 1)
    weights = persistence ** np.arange(memory)
    walk: Floats = np.convolve(steps, weights, mode="valid") / np.sqrt(np.sum(weights**2))
    return walk


def wander_at(seed: int, key: tuple[Key, ...], place: float, persistence: float) -> float:
    """Return the walk of `wander` at any place, between whole ones on the straight line."""
    first = int(np.floor(place))
    before, after = wander(seed, key, first, 2, persistence)
    return float(before + (after - before) * (place - first))


def unit(seed: int, *key: Key) -> float:
    """Return a number in [0, 1) that belongs to a key."""
    return float(uniforms(salt(seed, "outside", *key), 0))

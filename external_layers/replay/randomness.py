"""Counter-based randomness: every number is a function of its key, never of the order of calls."""

from functools import lru_cache
from hashlib import blake2b
from typing import Final

import numpy as np
from numpy.typing import NDArray

# The three multipliers of the splitmix64 finaliser (Steele, Lea and Flood, 2014).
_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_MIX_1: Final = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2: Final = np.uint64(0x94D049BB133111EB)
_KEY_BYTES: Final = 16
_UNIT_53: Final = 2.0**-53

Key = str | int


def stream(seed: int, *key: Key) -> np.random.Generator:
    """Return a generator that depends on the seed and the key alone.

    Parameters
    ----------
    seed
        The market's seed.
    key
        What the numbers are for, e.g. ``("minutes", "BTCUSDT", 20412)``.

    Returns
    -------
    numpy.random.Generator
        Philox, keyed with 128 bits of BLAKE2b over seed and key (Salmon et al., 2011).

    Examples
    --------
    >>> bool(stream(7, "a", 1).random() == stream(7, "a", 1).random())
    True
    """
    text = "\x1f".join((str(seed), *map(str, key)))
    digest = blake2b(text.encode(), digest_size=_KEY_BYTES).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "little")))


@lru_cache(maxsize=4096)
def salt(seed: int, *key: Key) -> np.uint64:
    """Return 64 bits for `uniforms`, a function of the seed and the key alone."""
    text = "\x1f".join((str(seed), *map(str, key)))
    return np.uint64(int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little"))


def uniforms(salt_: np.uint64, *counters: NDArray[np.int64] | int) -> NDArray[np.float64]:
    """Return hash noise: one uniform in [0, 1) per broadcast tuple of counters.

    Parameters
    ----------
    salt_
        From `salt`; separates independent uses.
    counters
        Integers or integer arrays that broadcast against each other.

    Returns
    -------
    ndarray of float64
        In [0, 1); the same counters always give the same number.
    """
    state = np.asarray(salt_, dtype=np.uint64)
    with np.errstate(over="ignore"):
        for counter in counters:
            state = _mixed(state ^ _mixed(np.asarray(counter, dtype=np.int64).astype(np.uint64)))
    unit: NDArray[np.float64] = (state >> np.uint64(11)).astype(np.float64) * _UNIT_53
    return unit


def _mixed(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    mixed: NDArray[np.uint64] = np.add(bits, _GOLDEN)
    mixed = np.multiply(mixed ^ (mixed >> np.uint64(30)), _MIX_1)
    mixed = np.multiply(mixed ^ (mixed >> np.uint64(27)), _MIX_2)
    return mixed ^ (mixed >> np.uint64(31))

"""Scores between anchor points: piecewise linear, constant beyond the first and the last one."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan, nan
from typing import Final

NEUTRAL: Final = 50.0
FULL: Final = 100.0


@dataclass(frozen=True, slots=True)
class Curve:
    """Anchor points: `xs` ascending, and the value at each; a repeated x is a step.

    Examples
    --------
    >>> Curve((0.5, 0.6, 1.0), (50.0, 70.0, 90.0))(0.8)
    80.0
    """

    xs: Sequence[float]
    values: Sequence[float]

    def __call__(self, x: float) -> float:
        """Return the value at x; NaN for NaN."""
        if isnan(x):
            return nan
        right = bisect_right(self.xs, x)
        if right == 0:
            return self.values[0]
        if right == len(self.xs):
            return self.values[-1]
        left = right - 1
        share = (x - self.xs[left]) / (self.xs[right] - self.xs[left])
        return self.values[left] + share * (self.values[right] - self.values[left])


def clamped(value: float, low: float, high: float) -> float:
    """Return the value, or the bound that it passes."""
    return min(max(value, low), high)


def directional(long: float) -> tuple[float, float]:
    """Return support for a long, held in 0..100, and the rest of 100 for a short."""
    held = clamped(long, 0.0, FULL)
    return held, FULL - held


def two_sided(buy: float, sell: float, buyers: Curve, sellers: Curve) -> tuple[float, float]:
    """Return support for long and short from what stands on either side.

    The curve of the larger side gives that side's support from its share of both, the other side
    gets the rest of 100; so swapping the sides swaps the scores to the last bit.

    Parameters
    ----------
    buy, sell
        Volumes of the two sides, at least 0, in the same unit.
    buyers, sellers
        Support of that side at its share, 0.5..1.

    Returns
    -------
    tuple of float
        Both NaN when there is nothing on either side.
    """
    total = buy + sell
    if not total > 0:
        return nan, nan
    if buy >= sell:
        return directional(buyers(buy / total))
    short, long = directional(sellers(sell / total))
    return long, short

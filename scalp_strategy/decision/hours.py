"""Hourly returns and their correlation (pure)."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

HOUR_NS: Final = 3_600 * 1_000_000_000
# Returns that vary by less are those of a price that stood still, but for binary fractions.
_STILL: Final = 1e-12
_OTHER_UNIT: Final = math.log(3.0)


@dataclass(frozen=True, slots=True, eq=False)
class HourCloses:
    """Closes on the full hour.

    Attributes
    ----------
    hours : array of int64
        Hours since the epoch at which the candles closed, rising.
    closes : array of float64
        Quote currency.
    """

    hours: NDArray[np.int64]
    closes: Floats


@dataclass(frozen=True, slots=True, eq=False)
class HourlyReturns:
    """Logarithmic returns over whole hours, one for every hour from the first on; NaN is unknown.

    Attributes
    ----------
    first : int
        The hour, since the epoch, at which the first return ends.
    """

    first: int
    returns: Floats

    def window(self, until: int, hours: int) -> Floats:
        """Return the returns of the last `hours` hours up to `until`, NaN beyond both ends.

        Causal: a return that ends at an hour comes from the closes of it and of the hour before.
        """
        start, stop = until - hours + 1 - self.first, until + 1 - self.first
        if start >= 0 and stop <= len(self.returns):
            return self.returns[start:stop]
        found = np.full(hours, np.nan)
        low, high = max(start, 0), min(stop, len(self.returns))
        if low < high:
            found[low - start : high - start] = self.returns[low:high]
        return found


def hourly_returns(*parts: HourCloses) -> HourlyReturns:
    """Return the returns of closes that come in parts; where parts overlap the last one counts.

    A close that is missing, or not a positive number, makes the two returns beside it unknown. So
    does a price in another unit: nothing moves threefold within an hour but by a redenomination.
    """
    filled = [part for part in parts if len(part.hours)]
    if not filled:
        return HourlyReturns(0, np.empty(0))
    first = min(int(part.hours[0]) for part in filled)
    last = max(int(part.hours[-1]) for part in filled)
    closes = np.full(last - first + 1, np.nan)
    for part in filled:
        closes[part.hours - first] = part.closes
    logs = np.log(np.where(np.isfinite(closes) & (closes > 0), closes, np.nan))
    returns = np.diff(logs, prepend=np.nan)
    return HourlyReturns(first, np.where(np.abs(returns) > _OTHER_UNIT, np.nan, returns))


def correlation(
    one: HourlyReturns, other: HourlyReturns, until: int, hours: int, min_common: int
) -> float:
    """Return Pearson's correlation of two pairs' returns in the hours up to `until`.

    Parameters
    ----------
    one, other
        Returns of the pairs.
    until
        The last hour that counts, since the epoch.
    hours
        Length of the window.
    min_common
        With fewer hours known to both, nothing is known.

    Returns
    -------
    float
        In [-1, 1]; NaN is unknown: too few common hours, or a price that stood still.
    """
    x, y = one.window(until, hours), other.window(until, hours)
    is_common = np.isfinite(x) & np.isfinite(y)
    count = int(np.count_nonzero(is_common))
    if count < max(min_common, 2):
        return math.nan
    x, y = x[is_common], y[is_common]
    x, y = x - x.sum() / count, y - y.sum() / count
    spread_x, spread_y = math.sqrt(x @ x / count), math.sqrt(y @ y / count)
    if min(spread_x, spread_y) <= _STILL:
        return math.nan
    return max(-1.0, min(1.0, float(x @ y) / (count * spread_x * spread_y)))

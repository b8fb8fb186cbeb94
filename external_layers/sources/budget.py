"""The calls that a provider is asked at most, counted in sliding windows."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Final, NamedTuple, cast

from pyrate_limiter import InMemoryBucket, Rate, RateItem

from external_layers.sources.spec import CallRate

_MS_PER_S: Final = 1_000
_made_ms = attrgetter("timestamp")
_GROUPS: Final = 1_000  # of a window's length: how finely calls are remembered over a restart


class CallUse(NamedTuple):
    """Calls of the last `span_s` seconds against what is asked at most."""

    used: int
    limit: int
    span_s: float


class AgedCalls(NamedTuple):
    """Some calls, and how long ago they were made."""

    age_ms: int
    calls: int


class CallBudget:
    """Calls within all rates of a provider.

    Times are milliseconds of a clock that never goes back.

    Parameters
    ----------
    rates
        As pyrate-limiter takes them: a longer span allows more calls, but fewer a second.

    Raises
    ------
    ValueError
        When they are no such rates.
    """

    def __init__(self, rates: Sequence[CallRate]) -> None:
        self._rates = tuple(sorted(rates, key=lambda rate: rate.span_s))
        self._bucket = InMemoryBucket([Rate(each.count, _span_ms(each)) for each in rates])

    def take(self, now_ms: int) -> int:
        """Count a call and return 0; or count none and return the milliseconds to wait."""
        call = RateItem("call", now_ms)
        self._bucket.leak(now_ms)
        if self._bucket.put(call):
            return 0
        return max(1, cast(int, self._bucket.waiting(call)))

    def wait_ms(self, now_ms: int) -> int:
        """Return the milliseconds until a call may be made; 0 = now."""
        calls = self._bucket.items
        full = [rate for rate in self._rates if len(calls) >= rate.count]
        free = [calls[-rate.count].timestamp + _span_ms(rate) + 1 for rate in full]
        return max([0, *(at - now_ms for at in free)])

    def uses(self, now_ms: int) -> tuple[CallUse, ...]:
        """Return the calls of each window that ends now."""
        calls = self._bucket.items
        return tuple(
            CallUse(len(calls) - _first_within(calls, rate, now_ms), rate.count, rate.span_s)
            for rate in self._rates
        )

    def aged(self, now_ms: int, reserved: int = 0) -> list[AgedCalls]:
        """Return the calls that count still, oldest first.

        They are put together in at most a thousand groups, in which all are as young as the
        youngest may be: at worst too much is counted, for a thousandth of the longest window.

        Parameters
        ----------
        now_ms
            Now.
        reserved
            Calls that may be about to be made; they are counted as made now.
        """
        self._bucket.leak(now_ms)
        width = max(1, _span_ms(self._rates[-1]) // _GROUPS)
        calls, found, begin = self._bucket.items, [], 0
        while begin < len(calls):
            age_ms = (now_ms - calls[begin].timestamp) // width * width
            end = bisect_right(calls, now_ms - age_ms, lo=begin, key=_made_ms)
            found.append(AgedCalls(age_ms, end - begin))
            begin = end
        return [*found, AgedCalls(0, reserved)] if reserved else found

    def restore(self, calls: Iterable[AgedCalls], now_ms: int) -> None:
        """Count calls of an earlier process; more than could be allowed are not kept."""
        left: list[RateItem] = []
        most = self._rates[-1].count
        for age_ms, count in sorted(calls):
            fitting = min(count, most - len(left))
            left += [RateItem("call", now_ms - max(0, age_ms))] * fitting
        self._bucket.items = left[::-1] + self._bucket.items


def _span_ms(rate: CallRate) -> int:
    return round(rate.span_s * _MS_PER_S)


def _first_within(calls: list[RateItem], rate: CallRate, now_ms: int) -> int:
    return bisect_left(calls, now_ms - _span_ms(rate), key=_made_ms)

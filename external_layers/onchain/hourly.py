"""Net flows hour by hour, and how large they usually are."""

from collections.abc import Iterable, Mapping
from math import fsum, nan, sqrt
from typing import Final

from external_layers.evidence import NEVER
from external_layers.onchain.watch import HOUR_MS, Watching

HOURS_A_DAY: Final = 24
_MS_PER_S: Final = 1_000


def usual_size(flows: Iterable[float], least: int) -> float:
    """Return the standard deviation of hourly net flows about zero, the neutral point.

    ``sqrt(mean(flow ** 2))``. About zero and not about their mean: where coins leave hour after
    hour, such as from a list of wallets that knows one way only, another such hour is not extreme.

    Parameters
    ----------
    flows
        One number for each known hour, dollars.
    least
        Fewer hours give NaN.
    """
    squares = [flow * flow for flow in flows]
    return sqrt(fsum(squares) / len(squares)) if len(squares) >= least else nan


def past_hours(at_ms: int, days: int) -> range:
    """Return the whole hours of the days before the hour that ends at an instant."""
    last = at_ms // HOUR_MS - 1
    return range(last - days * HOURS_A_DAY, last)


class HourlyNets:
    """Dollars that left exchanges less those that came, by the hour since the epoch.

    Parameters
    ----------
    days
        Days that are looked back.
    least
        Hours that must be known for `usual`.

    Attributes
    ----------
    nets
        The hours in which anything moved; any other hour is zero if it was watched.
    """

    __slots__ = ("_days", "_key", "_least", "_revision", "_usual", "nets")

    def __init__(self, days: int, least: int) -> None:
        self._days = days
        self._least = least
        self._revision = 0
        self._key: tuple[object, ...] = ()
        self._usual = nan
        self.nets: dict[int, int] = {}

    def add(self, hour: int, dollars: int) -> None:
        """Count what moved in an hour."""
        self.nets[hour] = self.nets.get(hour, 0) + dollars
        self._revision += 1

    def usual(self, at_ms: int, watching: Watching) -> float:
        """Return the usual size of an hour's net flow, dollars; NaN while too few are known.

        The hour that ends at `at_ms` has no part in it; an hour that nobody watched is unknown.
        """
        key = (at_ms // HOUR_MS, self._revision, *watching.revision)
        if key != self._key:
            known = watching.hours.intersection(past_hours(at_ms, self._days))
            self._usual = usual_size((self.nets.get(hour, 0) for hour in known), self._least)
            self._key = key
        return self._usual

    def forget(self, before_ms: int) -> None:
        """Forget the hours that began before an instant."""
        first = before_ms // HOUR_MS
        self.nets = {hour: net for hour, net in self.nets.items() if hour >= first}


class Readings:
    """Values of one series by when they were true; the last one told of an instant counts."""

    __slots__ = ("values",)

    def __init__(self) -> None:
        self.values: dict[int, float] = {}

    def add(self, observed_ms: int, value: float) -> None:
        """Take in a value."""
        self.values[observed_ms] = value

    @property
    def newest_ms(self) -> int:
        """Return when the newest value was true, `NEVER` before the first."""
        return max(self.values, default=NEVER)

    def is_fresh(self, at_ms: int, max_age_s: int) -> bool:
        """Whether the newest value is not too old."""
        newest_ms = self.newest_ms
        return newest_ms != NEVER and at_ms - newest_ms <= max_age_s * _MS_PER_S

    def forget(self, before_ms: int) -> None:
        """Forget the values of before an instant."""
        if any(at < before_ms for at in self.values):
            self.values = {at: value for at, value in self.values.items() if at >= before_ms}


def hourly(values: Mapping[int, float], hours: range) -> dict[int, float]:
    """Return the last value of each of the hours that has one."""
    by_hour = {at // HOUR_MS: values[at] for at in sorted(values)}
    return {hour: value for hour, value in by_hour.items() if hour in hours}

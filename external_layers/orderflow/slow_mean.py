"""A mean over hours that needs no memory of them."""

from math import exp, isnan, nan


class SlowMean:
    """Mean that forgets exponentially in time: ``mean += (1 - exp(-dt / mean_s)) * (x - mean)``.

    NaN until it listened for `warmup_s`; the time across a break counts for nothing.
    """

    __slots__ = ("_heard_ms", "_last_ms", "_mean", "_mean_ms", "_warmup_ms")

    def __init__(self, mean_s: float, warmup_s: float) -> None:
        self._mean_ms = mean_s * 1_000.0
        self._warmup_ms = warmup_s * 1_000.0
        self._mean = nan
        self._heard_ms = 0
        self._last_ms: int | None = None

    def add(self, time_ms: int, value: float) -> None:
        """Take in what was measured at that time; times ascend."""
        if isnan(self._mean):
            self._mean = value
        if self._last_ms is not None:
            passed = max(0, time_ms - self._last_ms)
            self._heard_ms += passed
            self._mean += (1.0 - exp(-passed / self._mean_ms)) * (value - self._mean)
        self._last_ms = time_ms

    def interrupt(self) -> None:
        """Note that the time until the next value was not listened to."""
        self._last_ms = None

    @property
    def value(self) -> float:
        """Return the mean, NaN while it is not warm."""
        return self._mean if self._heard_ms >= self._warmup_ms else nan

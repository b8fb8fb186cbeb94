"""The sidecar's share of the exchange's request weight, minute by minute (pure)."""

import math
from typing import Final

_MINUTE_MS: Final = 60_000
_TURN_MARGIN_MS: Final = 100  # the exchange's minute may begin a little after ours


class WeightBudget:
    """How much request weight may still be spent in the running minute.

    The exchange counts the weight of everybody behind an IP address and tells the sum in each
    answer. Spending stops at our share, and before that when the whole, the bot's part above all
    included, comes near the exchange's limit.

    Parameters
    ----------
    limit
        The exchange's weight per minute.
    share
        Part of it that is ours, in (0, 1].
    reserve
        Part of it that stays unused whoever spends, in [0, 1).

    Attributes
    ----------
    own, used, under_way
        Of the running minute: weight that we sent; the sum that the exchange told last, plus
        what it did not tell; weight of requests not yet answered.

    Notes
    -----
    The whole is taken as `used + under_way`: at worst too much, by what the exchange counted but
    did not answer yet. A request that is larger than the share goes out as the first of a minute.
    All times are epoch milliseconds on the exchange's clock, whose minutes bound the count.
    """

    def __init__(self, limit: int, share: float, reserve: float) -> None:
        self.limit = limit
        self.allowance = math.floor(limit * share)
        self.ceiling = math.floor(limit * (1.0 - reserve))
        self.own = 0
        self.used = 0
        self.under_way = 0
        self.blocked_until_ms = 0
        self._minute = 0

    @property
    def total(self) -> int:
        """The weight that everybody may have spent in the running minute."""
        return self.used + self.under_way

    def wait_s(self, weight: int, now_ms: int) -> float:
        """Return the seconds to wait before a request of some weight may be sent; 0 = now."""
        self._turn(now_ms)
        blocked_s = max(0, self.blocked_until_ms - now_ms) / 1_000
        return blocked_s if self._fits(weight) else max(blocked_s, _rest_of_minute_s(now_ms))

    def spend(self, weight: int, now_ms: int) -> None:
        """Count a request that is being sent; `settle` must follow."""
        self._turn(now_ms)
        self.own += weight
        self.under_way += weight

    def settle(self, weight: int, used: int | None, sent_ms: int, now_ms: int) -> None:
        """Close the account of a request that was answered, or that failed.

        Parameters
        ----------
        weight
            What was spent on it.
        used
            The sum that the answer told (`X-MBX-USED-WEIGHT-1M`), None without one. That of a
            request of the minute before is not used: it may be that minute's.
        sent_ms, now_ms
            When it was sent, and now.
        """
        self._turn(now_ms)
        self.under_way -= weight
        if used is None or sent_ms // _MINUTE_MS != self._minute:
            self.used += weight
        else:
            self.used = max(self.used, used)

    def block(self, seconds: float | None, now_ms: int) -> None:
        """Send nothing for some seconds (None: until the minute ends); never shortens a block."""
        wait_s = _rest_of_minute_s(now_ms) if seconds is None else seconds
        self.blocked_until_ms = max(self.blocked_until_ms, now_ms + math.ceil(wait_s * 1_000))

    def _turn(self, now_ms: int) -> None:
        minute = now_ms // _MINUTE_MS
        if minute != self._minute:
            self._minute, self.own, self.used = minute, 0, 0

    def _fits(self, weight: int) -> bool:
        if self.own == 0:
            return self.total + min(weight, self.allowance) <= self.ceiling
        return self.own + weight <= self.allowance and self.total + weight <= self.ceiling


def _rest_of_minute_s(now_ms: int) -> float:
    return (_MINUTE_MS - now_ms % _MINUTE_MS + _TURN_MARGIN_MS) / 1_000

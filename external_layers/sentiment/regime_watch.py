"""A market regime that holds: looks on a fixed grid, a new regime only after it lasted. Pure."""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from scalp_strategy.contract import CANDLE_MS

UNKNOWN: Final = ""
_NEVER: Final = -1
_MS_PER_S: Final = 1_000
_REACH_MS: Final = 86_400_000  # looks that were not taken further back are never taken


class Look(NamedTuple):
    """What the market looked like at one 15m close.

    Attributes
    ----------
    regime
        Its name, `UNKNOWN` when the inputs do not settle it.
    observed_ms
        The oldest of the inputs that settle it.
    text
        Those inputs in words.
    """

    regime: str
    observed_ms: int
    text: str = ""


class RegimeWatch:
    """The regime as of the last look.

    Looks are taken at 15m closes and nowhere else, each with what was known at it, so the answer
    does not depend on how often it is asked for. A regime counts once it was seen at every look of
    `confirm_s`; until another has been, it stays. While the inputs settle nothing it is unknown;
    after more than `confirm_s` of that it is forgotten too.

    Attributes
    ----------
    current
        The regime that counts, `UNKNOWN` before the first.
    seen
        The last look.
    """

    __slots__ = (
        "_asked_ms",
        "_confirm_ms",
        "_known_ms",
        "_looked_ms",
        "_run_ms",
        "current",
        "seen",
    )

    def __init__(self, confirm_s: int) -> None:
        self._confirm_ms = confirm_s * _MS_PER_S
        self._asked_ms = _NEVER  # first by this process
        self._looked_ms = _NEVER
        self._known_ms = _NEVER
        self._run_ms = _NEVER
        self.current = UNKNOWN
        self.seen = Look(UNKNOWN, _NEVER)

    @property
    def regime(self) -> str:
        """The regime that counts, `UNKNOWN` while the inputs settle nothing."""
        return self.current if self.seen.regime != UNKNOWN else UNKNOWN

    @property
    def held_ms(self) -> int:
        """For how long the looks have been saying what the last one said."""
        return self._looked_ms - self._run_ms

    def settle(self, at_ms: int, candles_ms: int, look: Callable[[int], Look]) -> None:
        """Take the looks that are due.

        Parameters
        ----------
        at_ms
            Now.
        candles_ms
            The close of BTC's newest candle, negative while there is none. A look waits for the
            candle of its close, until the next close at most; after a start, while candles are
            still to come, those that were missed wait too.
        look
            Takes the look at a close, with what was known by then.
        """
        if self._asked_ms == _NEVER:
            self._asked_ms = at_ms
        if candles_ms < 0 and at_ms < self._asked_ms + CANDLE_MS:
            return
        for close_ms in range(self._next_ms(at_ms), at_ms + 1, CANDLE_MS):
            if candles_ms < close_ms and at_ms < close_ms + CANDLE_MS:
                break
            self._take(close_ms, look(close_ms))

    def _next_ms(self, at_ms: int) -> int:
        last_ms = at_ms // CANDLE_MS * CANDLE_MS
        if self._looked_ms == _NEVER:
            return last_ms - self._confirm_ms // CANDLE_MS * CANDLE_MS
        return max(self._looked_ms + CANDLE_MS, last_ms - _REACH_MS)

    def _take(self, close_ms: int, look: Look) -> None:
        is_gap = self._looked_ms != close_ms - CANDLE_MS
        if look.regime != self.seen.regime or is_gap:
            self._run_ms = close_ms
        if self._known_ms < close_ms - CANDLE_MS - self._confirm_ms:
            self.current = UNKNOWN
        if look.regime != UNKNOWN:
            self._known_ms = close_ms
            if close_ms - self._run_ms >= self._confirm_ms:
                self.current = look.regime
        self._looked_ms = close_ms
        self.seen = look

    def to_json(self) -> list[Any]:
        """Return everything as JSON values."""
        return [self._looked_ms, self._known_ms, self._run_ms, self.current, list(self.seen)]

    def load(self, document: list[Any]) -> None:
        """Take what `to_json` gave; TypeError or ValueError when it is something else."""
        looked, known, run, current, (regime, observed, text) = document
        self._looked_ms, self._known_ms, self._run_ms = int(looked), int(known), int(run)
        self.current = str(current)
        self.seen = Look(str(regime), int(observed), str(text))

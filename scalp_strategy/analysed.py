"""One pair's analysed candles as the decision reads them: by the instant they closed."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pandas import DataFrame

from scalp_strategy.breakers import Volatility
from scalp_strategy.confluence import rounded
from scalp_strategy.contract import NEUTRAL, Side, side_of
from scalp_strategy.entries import CHOPPY, atr_column, gate_reason, setup_name
from scalp_strategy.settings import Settings
from scalp_strategy.signals import Candidate

CANDLE_MINUTES: Final = 15
CANDLE_NS: Final = CANDLE_MINUTES * 60 * 1_000_000_000
_HOUR_NS: Final = 3_600 * 1_000_000_000

Floats = NDArray[np.float64]


def instant_ns(moment: datetime) -> int:
    """Return the epoch nanoseconds of a UTC-aware moment (exact to the microsecond)."""
    delta = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return ((delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds) * 1_000


class AnalysedPair:
    """The frame of one pair, indexed by close instants.

    Parameters
    ----------
    pair
        Freqtrade's name of the pair.
    frame
        The analysed frame, `date` being each candle's open.
    settings
        The settings it was analysed with.
    """

    def __init__(self, pair: str, frame: DataFrame, settings: Settings) -> None:
        self.pair = pair
        self._frame = frame
        self._settings = settings
        opens: NDArray[np.int64] = frame["date"].dt.as_unit("ns").array.asi8
        self._close_ns = opens + CANDLE_NS
        self._close = frame["close"].to_numpy(dtype=np.float64)
        self._columns: dict[str, NDArray[Any]] = {}
        candidates = np.flatnonzero(frame["is_candidate"].to_numpy(dtype=bool))
        self._candidates = {int(self._close_ns[row]): int(row) for row in candidates}

    @property
    def last_close(self) -> datetime | None:
        """The close of the last candle, UTC; None without candles."""
        if not len(self._close_ns):
            return None
        return datetime.fromtimestamp(int(self._close_ns[-1]) / 1e9, tz=UTC)

    def has_candle(self, close_ns: int) -> bool:
        """Whether a candle closed at that instant is here."""
        return self._row(close_ns) is not None

    def candidate(self, close_ns: int) -> Candidate | None:
        """Return the candidate whose candle closed at that instant."""
        row = self._candidates.get(close_ns)
        return None if row is None else self._candidate(row)

    def discarded(self, close_ns: int, from_score: int) -> Candidate | None:
        """Return the candle closed at that instant where it has a direction and reaches no tier.

        None where it reaches one, has no direction, or scores below `from_score`.
        """
        row = self._row(close_ns)
        if row is None or close_ns in self._candidates:
            return None
        if int(self._value("direction", row)) == NEUTRAL:
            return None
        score = rounded(self._value("confluence", row))
        return self._candidate(row) if score >= from_score else None

    def row(self, close_ns: int) -> Mapping[str, Any]:
        """Return every column of the candle closed at that instant, empty when it is not here."""
        row = self._row(close_ns)
        if row is None:
            return {}
        return {str(name): self._value(str(name), row) for name in self._frame.columns}

    def price_at(self, now_ns: int) -> float:
        """Return the last close at or before an instant, NaN when there is none."""
        row = self._last_row(now_ns)
        return float(self._close[row]) if row >= 0 else float("nan")

    def move_pct(self, close_ns: int, span_ns: int) -> float:
        """Return the move of the closes over a span, percent; NaN where either is not here."""
        then_ns = close_ns - span_ns
        if not (self.has_candle(close_ns) and self.has_candle(then_ns)):
            return float("nan")
        before = self.price_at(then_ns)
        return (self.price_at(close_ns) / before - 1.0) * 100.0 if before > 0 else float("nan")

    def atr_at(self, now_ns: int) -> float:
        """Return the ATR of the last candle closed at or before an instant, NaN when unknown."""
        row = self._last_row(now_ns)
        return float(self._value(atr_column(self._settings), row)) if row >= 0 else float("nan")

    def stop_factor_at(self, now_ns: int) -> float:
        """Return the stop factor of the last candle closed at or before an instant, else 1."""
        row = self._last_row(now_ns)
        return float(self._value("stop_factor", row)) if row >= 0 else 1.0

    def volatility(self, close_ns: int, mean_candles: int) -> Volatility:
        """Return how far the pair moves at the close of a candle.

        Parameters
        ----------
        close_ns
            The candle's close; where it is not here nothing is known.
        mean_candles
            Candles in the mean of the ATR, this one included; fewer make it unknown.

        Notes
        -----
        The true range is max(high, close before) - min(low, close before).
        """
        row = self._row(close_ns)
        if row is None:
            return Volatility()
        atr = self._floats(atr_column(self._settings))
        first = row + 1 - mean_candles
        mean_atr = float(atr[first : row + 1].mean()) if first >= 0 else float("nan")
        return Volatility(float(atr[row]), mean_atr, self._true_range(row))

    def leaves(self, low: float, high: float, since_ns: int, until_ns: int) -> bool:
        """Whether a candle that closed in (since, until] reached `low` or `high`."""
        span = self._span(since_ns, until_ns)
        is_below = self._floats("low")[span] <= low
        is_above = self._floats("high")[span] >= high
        return bool(is_below.any() or is_above.any())

    def hour_closes(self) -> tuple[NDArray[np.int64], Floats]:
        """Return the hours, since the epoch, at which candles closed, and their closes."""
        is_hour = self._close_ns % _HOUR_NS == 0
        return self._close_ns[is_hour] // _HOUR_NS, self._close[is_hour]

    def best_close(self, side: Side, since_ns: int, until_ns: int) -> float:
        """Return the most favourable close of candles that closed in (since, until], else NaN."""
        closes = self._close[self._span(since_ns, until_ns)]
        closes = closes[np.isfinite(closes)]
        if not len(closes):
            return float("nan")
        return float(closes.max() if side == "long" else closes.min())

    def _span(self, since_ns: int, until_ns: int) -> slice:
        ends = np.searchsorted(self._close_ns, (since_ns, until_ns), side="right")
        return slice(int(ends[0]), int(ends[1]))

    def _row(self, close_ns: int) -> int | None:
        row = self._last_row(close_ns)
        return row if row >= 0 and int(self._close_ns[row]) == close_ns else None

    def _last_row(self, now_ns: int) -> int:
        return int(np.searchsorted(self._close_ns, now_ns, side="right")) - 1

    def _column(self, name: str) -> NDArray[Any]:
        # A row of a wide frame costs a millisecond; a cell of a cached column costs nothing.
        if name not in self._columns:
            self._columns[name] = self._frame[name].to_numpy()
        return self._columns[name]

    def _value(self, name: str, row: int) -> Any:
        return self._column(name)[row]

    def _floats(self, name: str) -> Floats:
        """Return a column of numbers; all unknown where the frame has none of that name."""
        return self._column(name) if name in self._frame else np.full(len(self._frame), np.nan)

    def _true_range(self, row: int) -> float:
        if row == 0:
            return float("nan")
        before = self._close[row - 1]
        high, low = (self._floats(name)[row] for name in ("high", "low"))
        # Not max() and min(): they drop a NaN, or keep it, by its place.
        return float(np.maximum(high, before) - np.minimum(low, before))

    def _state(self, name: str, row: int) -> str | None:
        value = self._value(name, row) if name in self._frame else None
        return value if isinstance(value, str) else None

    def _shift(self, row: int) -> float:
        shift = self._value("threshold_shift", row) if "threshold_shift" in self._frame else 0.0
        return float(shift)

    def _candidate(self, row: int) -> Candidate:
        settings = self._settings
        side = side_of(int(self._value("direction", row)))
        is_choppy = self._state("regime", row) == CHOPPY
        atr_pct, volume_ratio = self._value("atr_pct", row), self._value("volume_ratio", row)
        return Candidate(
            pair=self.pair,
            side=side,
            close_time=datetime.fromtimestamp(int(self._close_ns[row]) / 1e9, tz=UTC),
            price=float(self._close[row]),
            atr=float(self._value(atr_column(settings), row)),
            score=int(rounded(self._value("confluence", row))),
            tier=int(self._value("tier", row)),
            coverage=float(self._value("coverage", row)),
            setup=setup_name(int(self._value(f"setup_{side}", row))),
            stop_factor=float(self._value("stop_factor", row)),
            size_factor=settings.risk.choppy_size_factor if is_choppy else 1.0,
            is_tier_capped=bool(self._value("is_tier_capped", row)),
            gate=gate_reason(float(atr_pct), float(volume_ratio), settings),
            macro=self._state("macro", row),
            regime=self._state("regime", row),
            threshold_shift=self._shift(row),
            confluence=float(self._value("confluence", row)),
        )

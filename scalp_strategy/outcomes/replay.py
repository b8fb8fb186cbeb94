"""What a signal becomes on the candles after its close, taken or not (pure).

The signal is entered at the open of the first candle at or after its close, with its plan moved to
that price, and played by `scalp_strategy.risk.replay`, the ladder's reference: so the stop counts
first where a candle touches both. It is played on the finest candles that reach its end.

Missing candles are no trade, as long as they are at most `MAX_GAP_MINUTES` in a row. A longer gap
is a hole: what the candles before it do not decide is left to longer candles.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from pandas import DataFrame

from scalp_strategy.analysed import CANDLE_MINUTES
from scalp_strategy.contract import Side
from scalp_strategy.errors import ContractViolation, PayloadError
from scalp_strategy.journal.instants import epoch_ms
from scalp_strategy.risk import (
    LEG_TAGS,
    Candles,
    LadderOutcome,
    Leg,
    TradePlan,
    has_drifted,
    replay,
)
from scalp_strategy.risk.ladder import ExitReason
from scalp_strategy.setting_groups.risk import RiskSettings
from scalp_strategy.signals import SignalKey
from scalp_strategy.trade_state import Outcome

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

MAX_GAP_MINUTES: Final = 5
MINUTE_MS: Final = 60_000
CANDLE: Final = timedelta(minutes=CANDLE_MINUTES)
PRICES: Final = ("open", "high", "low", "close")

_NS_PER_MS: Final = 1_000_000
_CLOSE_ROW: Final = PRICES.index("close")
_OUTCOMES: Final[Mapping[ExitReason, Outcome]] = {
    "stop_loss": "sl",
    "break_even": "break_even",
    "trailing_stop": "trailing_stop",
    "time_stop": "max_hold",
    "tp2": "tp2",
    "tp3": "tp3",
}


class History(NamedTuple):
    """Closed candles of one pair and one length, oldest first.

    Attributes
    ----------
    minutes
        Length of a candle.
    since_ms, until_ms
        Between them no candle that exists is left out, epoch milliseconds.
    open_ms
        When each opens, strictly rising, on the grid of its length.
    prices
        Open, high, low and close, shape (4, n), finite and above 0.
    """

    minutes: int
    since_ms: int
    until_ms: int
    open_ms: IntArray
    prices: FloatArray

    @classmethod
    def of(cls, minutes: int, open_ms: IntArray, prices: FloatArray) -> Self:
        """Return the candles of these rows that are candles, in order, the last of a doubled one.

        They reach from the first one's open to the last one's close: what lies outside is unknown.
        """
        length = minutes * MINUTE_MS
        order = np.argsort(open_ms, kind="stable")
        open_ms, prices = open_ms[order], prices[:, order]
        is_last = np.append(open_ms[1:] != open_ms[:-1], np.ones(min(open_ms.size, 1), dtype=bool))
        is_candle = np.isfinite(prices).all(axis=0) & (prices > 0).all(axis=0)
        kept = is_last & is_candle & (open_ms % length == 0)
        open_ms = open_ms[kept]
        since, until = (int(open_ms[0]), int(open_ms[-1]) + length) if open_ms.size else (0, 0)
        return cls(minutes, since, until, open_ms, prices[:, kept])

    def closed_by(self, moment: datetime) -> Self:
        """Return it without the candles that were still forming at a moment."""
        now_ms = epoch_ms(moment)
        last_open_ms = now_ms - self.minutes * MINUTE_MS
        stop = int(np.searchsorted(self.open_ms, last_open_ms, side="right"))
        return self._replace(
            until_ms=min(self.until_ms, now_ms),
            open_ms=self.open_ms[:stop],
            prices=self.prices[:, :stop],
        )


def history_of(frame: DataFrame, minutes: int) -> History:
    """Return a host's frame of candles as a history; its arrays are copies."""
    open_ms: IntArray = frame["date"].array.as_unit("ns").asi8 // _NS_PER_MS
    prices = np.array([frame[name].to_numpy(dtype=np.float64) for name in PRICES])
    return History.of(minutes, open_ms, prices.reshape(len(PRICES), -1))


@dataclass(frozen=True, slots=True)
class Asked:
    """A signal whose outcome is asked for.

    Attributes
    ----------
    plan
        As it was made at the signal's close.
    valid_until
        An entry is made before this instant or not at all.
    """

    key: SignalKey
    plan: TradePlan
    valid_until: datetime


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a signal has become.

    `gross_r`, `net_r` (multiples of the risk) and `pnl_pct` (after costs, percent of the position's
    value at the entry) are None where nothing was traded. `resolution` is the length of the candles
    that decided; empty when none did.
    """

    outcome: Outcome
    gross_r: float | None = None
    net_r: float | None = None
    pnl_pct: float | None = None
    minutes: int = 0
    resolution: str = ""
    is_ambiguous: bool = False


# A signal that nobody can play: it has no plan, or its candles are missing for good.
UNKNOWN: Final = Resolved("other")


def end_of(close_time: datetime, settings: RiskSettings) -> datetime:
    """Return when the candle has closed in which a signal's time is up at the latest."""
    return close_time + (settings.ladder.max_hold_candles + 1) * CANDLE


def plan_of(document: Mapping[str, Any] | None, side: Side) -> TradePlan | None:
    """Return the plan that a journal keeps of a signal, None where there is none to be read."""
    try:
        plan = TradePlan.from_json(json.dumps(document)) if document else None
    except (PayloadError, TypeError, ValueError):
        return None
    return plan if plan and plan.side == side else None


def resolved(asked: Asked, histories: Iterable[History], settings: RiskSettings) -> Resolved | None:
    """Return what a signal has become.

    Parameters
    ----------
    asked
        The signal.
    histories
        Its pair's candles of one length or several; the first that decide are taken.
    settings
        Trailing and time stop, cost per side and the drift allowed at the entry.

    Returns
    -------
    Resolved or None
        "expired" when the entry had drifted too far to be taken. None while no candles reach its
        end, and where the close, the entry or the end lies in a hole.
    """
    for history in histories:
        found = _resolved(asked, history, settings)
        if found is not None:
            return found
    return None


def _resolved(asked: Asked, history: History, settings: RiskSettings) -> Resolved | None:
    path = _path(asked, history, settings)
    if path is None:
        return None
    first = int(np.argmax(np.isfinite(path[0])))
    entry = float(path[0, first])
    resolution = f"{history.minutes}m"
    if has_drifted(asked.plan, entry, settings):
        return Resolved("expired", resolution=resolution)
    plan = asked.plan.anchored(entry)
    opened, high, low, close = path
    candles = Candles(opened, high, low, close, history.minutes, CANDLE_MINUTES)
    ended = replay(plan, _whole_legs(plan), candles, settings.cost_per_side, settings)
    if ended.exit_reason == "unresolved":
        return None
    return _told(plan, ended, ended.duration_minutes - first * history.minutes, resolution)


def _told(plan: TradePlan, ended: LadderOutcome, minutes: int, resolution: str) -> Resolved:
    return Resolved(
        outcome=_OUTCOMES[ended.exit_reason],
        gross_r=ended.gross_r,
        net_r=ended.net_r,
        pnl_pct=ended.net_r * plan.sl_pct,
        minutes=minutes,
        resolution=resolution,
        is_ambiguous=ended.was_ambiguous,
    )


def _whole_legs(plan: TradePlan) -> tuple[Leg, ...]:
    """Return the plan's shares of one unit, not rounded to any amount step."""
    parts = zip(LEG_TAGS, plan.target_r, plan.legs, strict=True)
    return tuple(Leg(tag, target, share, tag == LEG_TAGS[-1]) for tag, target, share in parts)


def _path(asked: Asked, history: History, settings: RiskSettings) -> FloatArray | None:
    """Return rows from the close on, NaN where candles are missing, up to the first hole.

    None where there is no entry: the candles begin later, or none opens while it is valid.
    """
    close_ms = epoch_ms(asked.key.close_time)
    length = history.minutes * MINUTE_MS
    end_ms = epoch_ms(end_of(asked.key.close_time, settings))
    if history.since_ms > close_ms:
        return None
    if CANDLE_MINUTES % history.minutes:
        raise ContractViolation(f"candles of {history.minutes} minutes do not fill one of 15")
    start, stop = np.searchsorted(history.open_ms, (close_ms, end_ms)).tolist()
    places = (history.open_ms[start:stop] - close_ms) // length
    places = places[: _hole(places, MAX_GAP_MINUTES // history.minutes)]
    valid_ms = epoch_ms(asked.valid_until) - close_ms
    if not places.size or places[0] * length >= valid_ms:
        return None
    return _rows(places, history.prices[:, start : start + places.size], history.minutes)


def _hole(places: IntArray, most_missing: int) -> int:
    """Return how many places there are before the first hole."""
    missing = np.diff(places, prepend=-1) - 1
    holes = np.flatnonzero(missing > most_missing)
    return int(holes[0]) if holes.size else places.size


def _rows(places: IntArray, prices: FloatArray, minutes: int) -> FloatArray:
    count = int(places[-1]) + 1
    if count == places.size:
        return prices
    rows = np.full((len(PRICES), count), np.nan)
    rows[:, places] = prices
    # A main candle whose last minutes nobody traded in closes where the last trade was.
    lasts = np.arange(CANDLE_MINUTES // minutes - 1, count, CANDLE_MINUTES // minutes)
    missing = lasts[np.isnan(rows[0, lasts]) & (lasts > places[0])]
    before = np.searchsorted(places, missing) - 1
    rows[:, missing] = prices[_CLOSE_ROW, before]
    return rows

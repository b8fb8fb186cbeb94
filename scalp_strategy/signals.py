"""A signal's life before it is a trade: candidate, verdicts of the breakers, decision."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from math import nan
from typing import NamedTuple

from scalp_strategy.contract import TIER_NAMES, Side
from scalp_strategy.risk import PositionSize, TradePlan


class SignalKey(NamedTuple):
    """What a signal is known by: there is one for a pair, a side and a candle's close (UTC)."""

    pair: str
    side: Side
    close_time: datetime


@dataclass(frozen=True, slots=True)
class Candidate:
    """A candle whose confluence reaches a tier; everything a decision is made from.

    Attributes
    ----------
    close_time
        The candle's close, UTC: the instant of the decision.
    price, atr
        Close and ATR(14) of the candle, quote currency.
    score
        Confluence of the side, 0..100, rounded half up.
    confluence
        The same before it is rounded, NaN where it is not known: what ranks candidates.
    stop_factor
        Multiplies the stop's ATR multiple (CHOPPY tightens it).
    gate
        Why the entry gates refuse the candle, or None.
    macro
        The macro state that the sentiment layer flags, None is unknown.
    regime
        The market regime, None is unknown.
    threshold_shift
        Points that the hour of the close has added to both tier thresholds.
    """

    pair: str
    side: Side
    close_time: datetime
    price: float
    atr: float
    score: int
    tier: int
    coverage: float
    setup: str
    stop_factor: float = 1.0
    size_factor: float = 1.0
    is_tier_capped: bool = False
    gate: str | None = None
    macro: str | None = None
    regime: str | None = None
    threshold_shift: float = 0.0
    # Not compared: live and in a backtest the last digits may differ.
    confluence: float = field(default=nan, compare=False)

    @property
    def key(self) -> SignalKey:
        """What the signal is known by."""
        return SignalKey(self.pair, self.side, self.close_time)

    @property
    def tier_name(self) -> str:
        """HIGH, MEDIUM or NONE."""
        return TIER_NAMES[self.tier]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one circuit breaker says of a candidate.

    Attributes
    ----------
    blocks
        True vetoes the signal.
    size_factor
        Multiplies the risk, in (0, 1].
    reason
        In words, with the numbers; empty when the breaker has nothing to say.
    threshold_shift
        Points that the tier thresholds of this candle are higher, at least 0; the tier was given
        with them.
    is_pause
        The veto holds for all pairs, not for this candidate alone.
    """

    breaker: str
    blocks: bool = False
    size_factor: float = 1.0
    reason: str = ""
    threshold_shift: float = 0.0
    is_pause: bool = False


class Status(StrEnum):
    """How a decision ended, in the order in which a later word may follow an earlier one."""

    DISCARDED = "discarded"  # the score reaches no tier
    REJECTED = "rejected"  # by an entry gate, the plan or the size
    VETOED = "vetoed"  # by a circuit breaker
    APPROVED = "approved"  # sent to the trader
    NOT_TAKEN = "not_taken"  # approved, then refused at the entry or by the host
    TAKEN = "taken"  # an order was placed
    EXPIRED = "expired"  # the order was not filled while the signal was valid


@dataclass(frozen=True, slots=True)
class Decision:
    """The final word on a candidate; a veto is final for its candle."""

    candidate: Candidate
    status: Status
    reasons: tuple[str, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    plan: TradePlan | None = None
    size: PositionSize | None = None
    settings_hash: str = ""

    @property
    def is_approved(self) -> bool:
        """Whether an order may be placed."""
        return self.status is Status.APPROVED

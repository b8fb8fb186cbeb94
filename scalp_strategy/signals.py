"""A signal's life before it is a trade: candidate, verdicts of the breakers, decision."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from scalp_strategy.contract import TIER_NAMES, Side
from scalp_strategy.risk import PositionSize, TradePlan


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
    stop_factor
        Multiplies the stop's ATR multiple (CHOPPY tightens it).
    gate
        Why the entry gates refuse the candle, or None.
    macro
        The macro state that the sentiment layer flags, None is unknown.
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
    """

    breaker: str
    blocks: bool = False
    size_factor: float = 1.0
    reason: str = ""


class Status(StrEnum):
    """How a decision ended."""

    APPROVED = "approved"
    VETOED = "vetoed"  # by a circuit breaker
    REJECTED = "rejected"  # by an entry gate, the plan or the size
    NOT_TAKEN = "not_taken"  # approved, then refused at the entry or by the host


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

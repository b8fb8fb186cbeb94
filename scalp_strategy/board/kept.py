"""What the journal keeps, as the board needs it: so that a start can tell what a kill left untold.

The same facts give the same text, so what was told already makes no revision.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol, cast, get_args

from scalp_strategy.contract import Side
from scalp_strategy.journal.records import ReplayRecord
from scalp_strategy.signals import SignalKey
from scalp_strategy.trade_state import Fill, Outcome, TradeState


class KeptPosition(Protocol):
    """What is read of a position of the journal (table positions)."""

    @property
    def trade_id(self) -> int:
        """The host's number of the trade."""

    @property
    def pair(self) -> str:
        """The pair."""

    @property
    def direction(self) -> str:
        """The side."""

    @property
    def close_time(self) -> datetime:
        """Close of the signal's candle, UTC."""

    @property
    def opened_at(self) -> datetime:
        """When the host made the trade, UTC."""

    @property
    def closed_at(self) -> datetime | None:
        """When it ended, UTC."""

    @property
    def entry_price(self) -> float:
        """Average fill, or the order's price."""

    @property
    def amount(self) -> float:
        """What was bought or sold at the entry."""

    @property
    def leverage(self) -> float:
        """Leverage."""

    @property
    def stop_loss(self) -> float | None:
        """The stop last seen."""

    @property
    def current_price(self) -> float | None:
        """The price last seen."""

    @property
    def profit(self) -> float:
        """Realised, after fees and funding."""

    @property
    def unrealized_pnl(self) -> float:
        """Of what was open."""

    @property
    def risk(self) -> float | None:
        """Money at risk at the entry."""

    @property
    def outcome(self) -> str | None:
        """How it ended, None while it has not."""

    @property
    def fills(self) -> Sequence[Any]:
        """The exits, each with `tag`, `price`, `amount` and `at_ms`."""


class KeptSignal(Protocol):
    """What is read of a signal of the journal (table signals)."""

    @property
    def bot(self) -> str:
        """Whose signal it is."""

    @property
    def pair(self) -> str:
        """The pair."""

    @property
    def direction(self) -> str:
        """The side."""

    @property
    def close_time(self) -> datetime:
        """Its candle's close, UTC."""

    @property
    def replay_outcome(self) -> str | None:
        """What it has become on candles, None when that is not known yet."""

    @property
    def replay_net_r(self) -> float | None:
        """In R, after costs."""

    @property
    def replay_pnl_pct(self) -> float | None:
        """In percent."""

    @property
    def replay_minutes(self) -> int | None:
        """From the entry to the last exit."""

    @property
    def replay_resolution(self) -> str | None:
        """Length of the candles."""

    @property
    def replay_is_ambiguous(self) -> bool | None:
        """Whether a candle touched both the stop and a target."""


def trade_of(kept: KeptPosition) -> TradeState:
    """Return a trade as the journal keeps it."""
    return TradeState(
        key=SignalKey(kept.pair, _side(kept.direction), kept.close_time),
        trade_id=kept.trade_id,
        opened_at=kept.opened_at,
        entry_price=kept.entry_price,
        amount=kept.amount,
        stop=_or_nan(kept.stop_loss),
        price=_or_nan(kept.current_price),
        profit=kept.profit,
        unrealised=kept.unrealized_pnl,
        risk=_or_nan(kept.risk),
        stake=kept.entry_price * kept.amount / kept.leverage,
        leverage=kept.leverage,
        fills=tuple(_fill(document) for document in kept.fills),
        closed_at=kept.closed_at,
        outcome=_outcome(kept.outcome),
    )


def replay_of(kept: KeptSignal) -> ReplayRecord | None:
    """Return what a signal has become on candles, None when the journal does not know yet."""
    if kept.replay_outcome is None:
        return None
    close_ms = round(kept.close_time.timestamp() * 1_000)
    return ReplayRecord(
        bot=kept.bot,
        pair=kept.pair,
        side=kept.direction,
        close_ms=close_ms,
        at_ms=close_ms,
        outcome=kept.replay_outcome,
        net_r=kept.replay_net_r,
        pnl_pct=kept.replay_pnl_pct,
        minutes=kept.replay_minutes or 0,
        resolution=kept.replay_resolution or "",
        is_ambiguous=bool(kept.replay_is_ambiguous),
    )


def _side(direction: str) -> Side:
    return "short" if direction == "short" else "long"


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value


def _outcome(word: str | None) -> Outcome | None:
    if word is None:
        return None
    return cast(Outcome, word) if word in get_args(Outcome) else "other"


def _fill(document: Mapping[str, Any]) -> Fill:
    at = datetime.fromtimestamp(document["at_ms"] / 1_000, UTC)
    return Fill(document["tag"], document["price"], document["amount"], at)

"""Trades as records of the journal, and back."""

import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

from scalp_strategy.contract import Side
from scalp_strategy.journal.records import PositionRecord
from scalp_strategy.recording import epoch_ms, known
from scalp_strategy.signals import SignalKey
from scalp_strategy.trade_state import Fill, TradeState

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def position_record(state: TradeState, bot: str, at: datetime) -> PositionRecord:
    """Return the record of a trade as it stands at an instant."""
    value = state.entry_price * state.amount
    return PositionRecord(
        bot=bot,
        pair=state.pair,
        side=state.side,
        close_ms=epoch_ms(state.key.close_time),
        at_ms=epoch_ms(at),
        trade_id=state.trade_id,
        opened_ms=epoch_ms(state.opened_at),
        status=_status(state),
        entry_price=state.entry_price,
        amount=state.amount,
        leverage=state.leverage,
        stop=known(state.stop),
        price=known(state.price),
        profit=state.profit,
        unrealised=known(state.unrealised) or 0.0,  # without a price there is no other number
        unrealised_pct=known(state.unrealised / value * 100.0) if value > 0 else None,
        profit_pct=known(state.profit_pct),
        risk=known(state.risk),
        net_r=known(state.net_r),
        fills=tuple(_fill_document(fill) for fill in state.fills),
        outcome=state.outcome,
        closed_ms=epoch_ms(state.closed_at) if state.closed_at else None,
    )


def _status(state: TradeState) -> str:
    if state.is_over:
        return "cancelled" if state.outcome == "expired" else "closed"
    return "open" if state.is_filled else "pending"


def _fill_document(fill: Fill) -> dict[str, Any]:
    return {
        "tag": fill.tag,
        "price": fill.price,
        "amount": fill.amount,
        "at_ms": epoch_ms(fill.at),
    }


class KnownPosition(Protocol):
    """What is read of a position of the journal."""

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
    def profit(self) -> float:
        """Realised when last seen."""

    @property
    def risk(self) -> float | None:
        """Money at risk at the entry."""

    @property
    def fills(self) -> Iterable[Mapping[str, Any]]:
        """The exits that were known, as `position_record` writes them."""

    @property
    def outcome(self) -> str | None:
        """How it ended, None while it has not."""


def remembered(view: KnownPosition) -> TradeState:
    """Return a trade as the journal last saw it."""
    side: Side = "short" if view.direction == "short" else "long"
    return TradeState(
        key=SignalKey(view.pair, side, view.close_time),
        trade_id=view.trade_id,
        opened_at=view.opened_at,
        entry_price=view.entry_price,
        amount=view.amount,
        stop=math.nan if view.stop_loss is None else view.stop_loss,
        price=math.nan,
        profit=view.profit,
        unrealised=0.0,
        risk=math.nan if view.risk is None else view.risk,
        stake=view.entry_price * view.amount / view.leverage,
        leverage=view.leverage,
        fills=tuple(_fill(document) for document in view.fills),
    )


def _fill(document: Mapping[str, Any]) -> Fill:
    at = _EPOCH + timedelta(milliseconds=document["at_ms"])
    return Fill(document["tag"], document["price"], document["amount"], at)

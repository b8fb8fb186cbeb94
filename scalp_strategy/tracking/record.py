"""Trades as records of the journal, and back."""

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast, get_args

from scalp_strategy.contract import Side
from scalp_strategy.journal.instants import epoch_ms, moment
from scalp_strategy.journal.records import PositionRecord
from scalp_strategy.journal.views import PositionView
from scalp_strategy.recording import known
from scalp_strategy.signals import SignalKey
from scalp_strategy.trade_state import Fill, Outcome, TradeState


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


def trade_of(view: PositionView) -> TradeState:
    """Return a trade as the journal keeps it; the inverse of `position_record`."""
    side: Side = "short" if view.direction == "short" else "long"
    return TradeState(
        key=SignalKey(view.pair, side, view.close_time),
        trade_id=view.trade_id,
        opened_at=view.opened_at,
        entry_price=view.entry_price,
        amount=view.amount,
        stop=_or_nan(view.stop_loss),
        price=_or_nan(view.current_price),
        profit=view.profit,
        unrealised=view.unrealized_pnl,
        risk=_or_nan(view.risk),
        stake=view.entry_price * view.amount / view.leverage,
        leverage=view.leverage,
        fills=tuple(_fill(document) for document in view.fills),
        closed_at=view.closed_at,
        outcome=_outcome(view.outcome),
    )


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value


def _outcome(word: str | None) -> Outcome | None:
    if word is None:
        return None
    return cast(Outcome, word) if word in get_args(Outcome) else "other"


def _fill(document: Mapping[str, Any]) -> Fill:
    at = moment(document["at_ms"])
    return Fill(document["tag"], document["price"], document["amount"], at)

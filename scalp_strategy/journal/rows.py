"""Records as values of rows: cut to the columns, without what no database takes (pure)."""

import math
from datetime import date, datetime
from typing import Any, Final

from scalp_strategy.journal.conclusion import POSITION_STATUSES
from scalp_strategy.journal.instants import moment
from scalp_strategy.journal.models import (
    KEY_LENGTH,
    NAME_LENGTH,
    SIDE_LENGTH,
    STATE_LENGTH,
    STATUS_LENGTH,
)
from scalp_strategy.journal.outside import one_line
from scalp_strategy.journal.records import (
    BreakerRecord,
    DayRecord,
    MessageRecord,
    PositionRecord,
    ReplayRecord,
    SignalRecord,
    SignalWord,
)
from scalp_strategy.notice import NOTICE_KEY_LENGTH
from scalp_strategy.signals import Status
from scalp_strategy.trade_state import OUTCOME_LENGTH

_TEXT_LENGTH: Final = 2_000
_TARGETS: Final = 3
_NOISE_DIGITS: Final = 9
_SCORES: Final = {
    "ta_score": "technical",
    "orderflow_score": "orderflow",
    "onchain_score": "onchain",
    "sentiment_score": "sentiment",
    "backtest_score": "base_rate",
}
# What is counted of a day before anybody has counted.
UNCOUNTED: Final[dict[str, Any]] = {
    "total_signals": 0,
    "signals_sent": 0,
    "signals_blocked": 0,
    "wins": 0,
    "losses": 0,
    "total_pnl": 0.0,
    "breaker_activations": 0,
}


def signal_values(record: SignalRecord) -> dict[str, Any]:
    """Return the row of a judgement."""
    first, second, third = (*map(_known, record.targets), None, None, None)[:_TARGETS]
    close_time = moment(record.close_ms)
    return {
        "bot": _name(record.bot, NAME_LENGTH),
        "pair": _name(record.pair, NAME_LENGTH),
        "direction": _name(record.side, SIDE_LENGTH),
        "close_time": close_time,
        "created_at": moment(record.at_ms),
        "valid_until": moment(record.valid_until_ms) if record.valid_until_ms else close_time,
        "status": Status(record.status).value,
        "status_at": moment(record.at_ms),
        "block_reason": reason_of(record),
        "confluence_score": record.score,
        "signal_tier": _name(record.tier, STATUS_LENGTH),
        "threshold_shift": record.threshold_shift,
        "coverage": _known(record.coverage),
        "setup": one_line(record.setup, NAME_LENGTH),
        "entry_price": record.price,
        "stop_loss": _known(record.stop),
        "tp1": first,
        "tp2": second,
        "tp3": third,
        "sl_pct": _known(record.sl_pct),
        "rr_ratio": _known(record.rr_ratio),
        "cost_r": _known(record.cost_r),
        "amount": _known(record.amount),
        "leverage": _known(record.leverage),
        "position_size_pct": _known(record.position_size_pct),
        "risk_pct": _known(record.risk_pct),
        "risk_quote": _known(record.risk_quote),
        "limited_by": _line(record.limited_by, KEY_LENGTH),
        "size_factor": record.size_factor,
        **{column: _score(record, layer) for column, layer in _SCORES.items()},
        "win_rate_pct": _known(record.win_rate_pct),
        "market_regime": _line(record.market_regime, STATE_LENGTH),
        "macro_status": _line(record.macro_status, STATE_LENGTH),
        "layers": record.layers,
        "verdicts": record.verdicts,
        "plan": record.plan,
        "settings_hash": one_line(record.settings_hash, KEY_LENGTH),
        "code_version": one_line(record.code_version, KEY_LENGTH),
        "preset": one_line(record.preset, STATE_LENGTH),
    }


def replay_values(record: ReplayRecord) -> dict[str, Any]:
    """Return the columns of a replay."""
    return {
        "replay_outcome": _name(record.outcome, OUTCOME_LENGTH),
        "replay_gross_r": _known(record.gross_r),
        "replay_net_r": _known(record.net_r),
        "replay_pnl_pct": _known(record.pnl_pct),
        "replay_minutes": record.minutes,
        "replay_resolution": _name(record.resolution, STATUS_LENGTH),
        "replay_is_ambiguous": record.is_ambiguous,
    }


def position_values(record: PositionRecord) -> dict[str, Any]:
    """Return the row of a trade; its signal is found by the database."""
    if record.status not in POSITION_STATUSES:
        raise ValueError(f"a position cannot be {record.status!r}")
    ended_ms = record.closed_ms or record.at_ms
    return {
        "bot": _name(record.bot, NAME_LENGTH),
        "trade_id": record.trade_id,
        "pair": _name(record.pair, NAME_LENGTH),
        "direction": _name(record.side, SIDE_LENGTH),
        "status": record.status,
        "close_time": moment(record.close_ms),
        "opened_at": moment(record.opened_ms),
        "updated_at": moment(record.at_ms),
        "closed_at": None if record.outcome is None else moment(ended_ms),
        "entry_price": record.entry_price,
        "amount": record.amount,
        "leverage": record.leverage,
        "stop_loss": _known(record.stop),
        "current_price": _known(record.price),
        "unrealized_pnl": record.unrealised,
        "unrealized_pnl_pct": _known(record.unrealised_pct),
        "profit": record.profit,
        "profit_pct": _known(record.profit_pct),
        "risk": _known(record.risk),
        "net_r": _known(record.net_r),
        "outcome": _line(record.outcome, OUTCOME_LENGTH),
        "fills": record.fills,
    }


def breaker_values(record: BreakerRecord) -> dict[str, Any]:
    """Return the row of what a breaker did."""
    return {
        "bot": _name(record.bot, NAME_LENGTH),
        "breaker_type": _name(record.breaker, KEY_LENGTH),
        "reason": one_line(record.reason, _TEXT_LENGTH),
        "pair": _name(record.pair, NAME_LENGTH),
        "direction": _name(record.side, SIDE_LENGTH),
        "action_taken": _name(record.action, STATE_LENGTH),
        "timestamp": moment(record.at_ms),
    }


def message_values(record: MessageRecord) -> dict[str, Any]:
    """Return the row of a message."""
    return {
        "bot": _name(record.bot, NAME_LENGTH),
        "channel": _name(record.channel, STATUS_LENGTH),
        "key": _name(record.key, NOTICE_KEY_LENGTH),
        "kind": _name(record.kind, STATUS_LENGTH),
        "revision": record.revision,
        "status": _name(record.status, STATUS_LENGTH),
        "html": _lines(record.html),
        "shown": _lines(record.shown),
        "created_at": moment(record.at_ms),
        "expires_at": _moment_or_none(record.expires_ms),
        "sent_at": _moment_or_none(record.sent_ms),
        "chat_id": _name(record.chat_id, NAME_LENGTH),
        "message_ids": record.message_ids,
        "attempts": record.attempts,
        "problem": one_line(record.problem, _TEXT_LENGTH),
        "pair": _name(record.pair, NAME_LENGTH),
        "direction": _name(record.side, SIDE_LENGTH),
        "close_time": _moment_or_none(record.close_ms or None),
    }


def day_values(record: DayRecord) -> dict[str, Any]:
    """Return the row of a day that nobody has counted yet."""
    return UNCOUNTED | {
        "bot": _name(record.bot, NAME_LENGTH),
        "date": date.fromisoformat(record.day),
        "start_equity": record.start_equity,
        "end_equity": record.end_equity,
        "max_drawdown_pct": record.max_drawdown_pct,
        "equity_at": moment(record.at_ms),
        "updated_at": moment(record.at_ms),
    }


def reason_of(record: SignalRecord | SignalWord) -> str:
    """Return the reasons of a status as one line."""
    return one_line("; ".join(record.reasons), _TEXT_LENGTH)


def _score(record: SignalRecord, layer: str) -> int | None:
    """Return the side's score, rounded half up as the signal's own is."""
    said = record.layers.get(layer)
    score = said.get(record.side) if isinstance(said, dict) else None
    if not isinstance(score, int | float) or not math.isfinite(score):
        return None
    return math.floor(round(score, _NOISE_DIGITS) + 0.5)


def _name(text: str, length: int) -> str:
    """Return what a row is known by: it is never cut, another could become the same."""
    if len(text) > length or "\0" in text:
        raise ValueError(f"longer than {length} characters, or not printable: {text[:length]!r}")
    return text


def _line(text: str | None, length: int) -> str | None:
    return None if text is None else one_line(text, length)


def _lines(text: str) -> str:
    return text.replace("\0", " ")


def _known(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _moment_or_none(at_ms: int | None) -> datetime | None:
    return None if at_ms is None else moment(at_ms)

"""Rows of the journal as plain values; the names are the columns'."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class SignalRow:
    """A judged candidate and its outcome (table signals)."""

    bot: str
    pair: str
    direction: str
    close_time: datetime
    created_at: datetime
    valid_until: datetime
    status: str
    block_reason: str
    confluence_score: int
    signal_tier: str
    threshold_shift: float
    coverage: float | None
    setup: str
    entry_price: float
    stop_loss: float | None
    tp1: float | None
    tp2: float | None
    tp3: float | None
    sl_pct: float | None
    rr_ratio: float | None
    cost_r: float | None
    amount: float | None
    leverage: float | None
    position_size_pct: float | None
    risk_pct: float | None
    risk_quote: float | None
    limited_by: str | None
    size_factor: float
    ta_score: int | None
    orderflow_score: int | None
    onchain_score: int | None
    sentiment_score: int | None
    backtest_score: int | None
    win_rate_pct: float | None
    market_regime: str | None
    macro_status: str | None
    layers: dict[str, Any]
    verdicts: list[Any]
    plan: dict[str, Any] | None
    settings_hash: str
    code_version: str
    preset: str
    outcome: str | None
    outcome_source: str | None
    actual_pnl_pct: float | None
    actual_rr: float | None
    hold_duration_minutes: int | None
    closed_at: datetime | None
    replay_outcome: str | None
    replay_gross_r: float | None
    replay_net_r: float | None
    replay_pnl_pct: float | None
    replay_minutes: int | None
    replay_resolution: str | None
    replay_is_ambiguous: bool | None


@dataclass(frozen=True, slots=True)
class PositionView:
    """One of the host's trades (table positions)."""

    bot: str
    trade_id: int
    pair: str
    direction: str
    status: str
    close_time: datetime
    opened_at: datetime
    updated_at: datetime
    closed_at: datetime | None
    entry_price: float
    amount: float
    leverage: float
    stop_loss: float | None
    current_price: float | None
    unrealized_pnl: float
    unrealized_pnl_pct: float | None
    profit: float
    profit_pct: float | None
    risk: float | None
    net_r: float | None
    outcome: str | None
    fills: list[Any]


@dataclass(frozen=True, slots=True)
class BreakerView:
    """What a breaker or an admin did (table breaker_events)."""

    breaker_type: str
    reason: str
    pair: str
    direction: str
    action_taken: str
    timestamp: datetime


@dataclass(frozen=True, slots=True)
class DayView:
    """A UTC day (table daily_performance)."""

    bot: str
    date: date
    total_signals: int
    signals_sent: int
    signals_blocked: int
    wins: int
    losses: int
    win_rate: float | None
    total_pnl: float
    total_pnl_pct: float | None
    max_drawdown_pct: float | None
    avg_rr_achieved: float | None
    best_trade_pnl: float | None
    worst_trade_pnl: float | None
    breaker_activations: int
    start_equity: float | None
    end_equity: float | None

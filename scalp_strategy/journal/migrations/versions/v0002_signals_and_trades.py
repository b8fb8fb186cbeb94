"""Signals, positions, days, breakers and messages; outside events for several bots.

An event is known by its content and its part of it, no longer by a number of one bot's stream. What
each bot was told is counted in a table of its own. There is no way back: the numbers of several
bots would collide.
"""

from typing import Any, Final

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_EVENTS: Final = ("whale_events", "sentiment_snapshots")
_SOURCE: Final = "sidecar"  # the only one until now
_RowNumber: Final = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_Moment: Final = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the new tables, and give the events their parts."""
    _make_signals()
    _make_positions()
    _make_days()
    _make_breaker_events()
    _make_messages()
    with op.batch_alter_table("event_cursors") as cursors:
        cursors.alter_column("source", existing_type=sa.String(64), type_=sa.String(128))
    _make_told_events()
    for table in _EVENTS:
        _part(table)


def _part(table: str) -> None:
    op.add_column(table, sa.Column("part", sa.Integer))
    events = sa.table(table, sa.column("id"), sa.column("content_key"), sa.column("part"))
    earlier = events.alias("earlier")
    so_far = sa.select(sa.func.count()).where(
        earlier.c.content_key == events.c.content_key, earlier.c.id <= events.c.id
    )
    op.execute(events.update().values(part=so_far.scalar_subquery()))
    op.drop_index(f"ix_{table}_content_key", table)
    with op.batch_alter_table(table) as rows:
        rows.alter_column("part", existing_type=sa.Integer(), nullable=False)
        rows.drop_constraint(f"uq_{table}_stream_event_number", type_="unique")
        rows.create_unique_constraint(f"uq_{table}_content_key_part", ["content_key", "part"])


def _make_told_events() -> None:
    op.create_table(
        "told_events",
        sa.Column("source", sa.String(128), nullable=False),
        sa.Column("content_key", sa.String(64), nullable=False),
        sa.Column("stream", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("source", "content_key", "stream", name="pk_told_events"),
    )
    told = sa.table("told_events", *map(sa.column, ("source", "content_key", "stream", "count")))
    events = [sa.table(name, sa.column("content_key"), sa.column("stream")) for name in _EVENTS]
    both = sa.union_all(*(sa.select(one.c.content_key, one.c.stream) for one in events)).subquery()
    counted = sa.select(
        sa.literal(_SOURCE), both.c.content_key, both.c.stream, sa.func.count()
    ).group_by(both.c.content_key, both.c.stream)
    op.execute(told.insert().from_select(list(told.c), counted))


def _make_signals() -> None:
    op.create_table(
        "signals",
        *_of_a_bot("signals"),
        sa.Column("pair", sa.String(64), nullable=False),
        sa.Column("direction", sa.String(5), nullable=False),
        *_moments("close_time", "created_at", "valid_until"),
        sa.Column("status", sa.String(16), nullable=False),
        *_moments("status_at"),
        sa.Column("block_reason", sa.Text, nullable=False),
        sa.Column("confluence_score", sa.Integer, nullable=False),
        sa.Column("signal_tier", sa.String(16), nullable=False),
        sa.Column("threshold_shift", sa.Double, nullable=False),
        sa.Column("coverage", sa.Double),
        sa.Column("setup", sa.String(64), nullable=False),
        sa.Column("entry_price", sa.Double, nullable=False),
        *_numbers("stop_loss", "tp1", "tp2", "tp3", "sl_pct", "rr_ratio", "cost_r"),
        *_numbers("amount", "leverage", "position_size_pct", "risk_pct", "risk_quote"),
        sa.Column("limited_by", sa.String(64)),
        sa.Column("size_factor", sa.Double, nullable=False),
        sa.Column("ta_score", sa.Integer),
        sa.Column("orderflow_score", sa.Integer),
        sa.Column("onchain_score", sa.Integer),
        sa.Column("sentiment_score", sa.Integer),
        sa.Column("backtest_score", sa.Integer),
        *_numbers("win_rate_pct"),
        sa.Column("market_regime", sa.String(20)),
        sa.Column("macro_status", sa.String(20)),
        sa.Column("layers", sa.JSON, nullable=False),
        sa.Column("verdicts", sa.JSON, nullable=False),
        sa.Column("plan", sa.JSON),
        sa.Column("settings_hash", sa.String(64), nullable=False),
        sa.Column("code_version", sa.String(64), nullable=False),
        sa.Column("preset", sa.String(20), nullable=False),
        sa.Column("outcome", sa.String(16)),
        sa.Column("outcome_source", sa.String(16)),
        *_numbers("actual_pnl_pct", "actual_rr"),
        sa.Column("hold_duration_minutes", sa.Integer),
        sa.Column("closed_at", _Moment),
        sa.Column("replay_outcome", sa.String(16)),
        *_numbers("replay_gross_r", "replay_net_r", "replay_pnl_pct"),
        sa.Column("replay_minutes", sa.Integer),
        sa.Column("replay_resolution", sa.String(16)),
        sa.Column("replay_is_ambiguous", sa.Boolean),
        _unique("signals", "bot", "pair", "close_time", "direction"),
    )
    _index("signals", "pair", "created_at")
    _index("signals", "outcome")
    _index("signals", "bot", "close_time")
    _index("signals", "bot", "replay_outcome", "close_time")


def _make_positions() -> None:
    op.create_table(
        "positions",
        *_of_a_bot("positions"),
        sa.Column("signal_id", _RowNumber),
        sa.Column("trade_id", sa.Integer, nullable=False),
        sa.Column("pair", sa.String(64), nullable=False),
        sa.Column("direction", sa.String(5), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        *_moments("close_time", "opened_at", "updated_at"),
        sa.Column("closed_at", _Moment),
        sa.Column("entry_price", sa.Double, nullable=False),
        sa.Column("amount", sa.Double, nullable=False),
        sa.Column("leverage", sa.Double, nullable=False),
        *_numbers("stop_loss", "current_price"),
        sa.Column("unrealized_pnl", sa.Double, nullable=False),
        *_numbers("unrealized_pnl_pct"),
        sa.Column("profit", sa.Double, nullable=False),
        *_numbers("profit_pct", "risk", "net_r"),
        sa.Column("outcome", sa.String(16)),
        sa.Column("fills", sa.JSON, nullable=False),
        sa.ForeignKeyConstraint(["signal_id"], ["signals.id"], name="fk_positions_signal_id"),
        _unique("positions", "bot", "trade_id", "opened_at"),
    )
    _index("positions", "signal_id")
    _index("positions", "status")
    _index("positions", "bot", "closed_at")


def _make_days() -> None:
    counts = ("total_signals", "signals_sent", "signals_blocked", "wins", "losses")
    op.create_table(
        "daily_performance",
        *_of_a_bot("daily_performance"),
        sa.Column("date", sa.Date, nullable=False),
        *(sa.Column(name, sa.Integer, nullable=False) for name in counts),
        *_numbers("win_rate"),
        sa.Column("total_pnl", sa.Double, nullable=False),
        *_numbers("total_pnl_pct", "max_drawdown_pct", "avg_rr_achieved"),
        *_numbers("best_trade_pnl", "worst_trade_pnl"),
        sa.Column("breaker_activations", sa.Integer, nullable=False),
        *_numbers("start_equity", "end_equity"),
        sa.Column("equity_at", _Moment),
        *_moments("updated_at"),
        _unique("daily_performance", "bot", "date"),
    )
    _index("daily_performance", "date")


def _make_breaker_events() -> None:
    kept = ("bot", "breaker_type", "action_taken", "pair", "direction", "timestamp")
    op.create_table(
        "breaker_events",
        *_of_a_bot("breaker_events"),
        sa.Column("breaker_type", sa.String(64), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("pair", sa.String(64), nullable=False),
        sa.Column("direction", sa.String(5), nullable=False),
        sa.Column("action_taken", sa.String(20), nullable=False),
        *_moments("timestamp"),
        sa.UniqueConstraint(*kept, name="uq_breaker_events_event"),
    )
    _index("breaker_events", "bot", "timestamp")


def _make_messages() -> None:
    op.create_table(
        "messages",
        *_of_a_bot("messages"),
        sa.Column("channel", sa.String(16), nullable=False),
        sa.Column("key", sa.String(160), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("html", sa.Text, nullable=False),
        sa.Column("shown", sa.Text, nullable=False),
        *_moments("created_at"),
        sa.Column("expires_at", _Moment),
        sa.Column("sent_at", _Moment),
        sa.Column("chat_id", sa.String(64), nullable=False),
        sa.Column("message_ids", sa.JSON, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("problem", sa.Text, nullable=False),
        sa.Column("pair", sa.String(64), nullable=False),
        sa.Column("direction", sa.String(5), nullable=False),
        sa.Column("close_time", _Moment),
        _unique("messages", "bot", "channel", "key"),
    )
    _index("messages", "bot", "status")
    _index("messages", "bot", "created_at")


def _of_a_bot(table: str) -> list[Any]:
    return [
        sa.Column("id", _RowNumber, nullable=False),
        sa.Column("bot", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
    ]


def _numbers(*names: str) -> list[Any]:
    return [sa.Column(name, sa.Double) for name in names]


def _moments(*names: str) -> list[Any]:
    return [sa.Column(name, _Moment, nullable=False) for name in names]


def _unique(table: str, *columns: str) -> Any:
    return sa.UniqueConstraint(*columns, name=f"uq_{table}_{'_'.join(columns)}")


def _index(table: str, *columns: str) -> None:
    op.create_index(f"ix_{table}_{'_'.join(columns)}", table, list(columns))

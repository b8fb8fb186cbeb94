"""The journal's tables. A change here needs a migration; a test compares the two."""

from datetime import UTC, date, datetime
from typing import Any, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Date,
    DateTime,
    Dialect,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Numeric,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from scalp_strategy.journal.outside import KIND_LENGTH
from scalp_strategy.notice import NOTICE_KEY_LENGTH
from scalp_strategy.trade_state import OUTCOME_LENGTH

VERSION_TABLE: Final = "scalp_journal_version"
NAME_LENGTH: Final = 64  # of pairs and tokens: the exchanges' longest have about 30
KEY_LENGTH: Final = 64
SOURCE_LENGTH: Final = 128
STATE_LENGTH: Final = 20
STATUS_LENGTH: Final = 16
SIDE_LENGTH: Final = 5
LABEL_LENGTH: Final = 100
HASH_LENGTH: Final = 128

_NAMES: Final = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
}
# SQLite numbers rows by itself only when the key is an INTEGER.
_RowNumber: Final = BigInteger().with_variant(Integer, "sqlite")


class UtcDateTime(TypeDecorator[datetime]):
    """An aware moment; SQLite, which has no time zones, keeps it as UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the moment as the database keeps it."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the moment in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


class Base(DeclarativeBase):
    """What all tables have in common."""

    metadata = MetaData(naming_convention=_NAMES)
    type_annotation_map: dict[Any, Any] = {  # noqa: RUF012 - its way
        datetime: UtcDateTime(),
        date: Date(),
        float: Double(),
        bool: Boolean(),
        dict[str, Any]: JSON(none_as_null=True),
        list[Any]: JSON(none_as_null=True),
    }


class EventCursor(Base):
    """The last event a bot took of a source; changed together with the rows it stands for."""

    __tablename__ = "event_cursors"

    source: Mapped[str] = mapped_column(String(SOURCE_LENGTH), primary_key=True)
    stream: Mapped[int] = mapped_column(Integer)
    number: Mapped[int] = mapped_column(BigInteger)
    at_ms: Mapped[int] = mapped_column(BigInteger)
    kind: Mapped[str] = mapped_column(String(KIND_LENGTH))


class ToldEvent(Base):
    """How often a bot was told of a content in one stream: its memory, events are for all bots."""

    __tablename__ = "told_events"

    source: Mapped[str] = mapped_column(String(SOURCE_LENGTH), primary_key=True)
    content_key: Mapped[str] = mapped_column(String(KEY_LENGTH), primary_key=True)
    stream: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    count: Mapped[int] = mapped_column(Integer)


class WhaleEvent(Base):
    """A large transfer (specification 11.1), and which event told of it first.

    `timestamp` is when it happened, `told_at` when the sidecar told of it. `content_key` is what
    makes it the same transfer for another bot, and when the sidecar's folder was replaced and
    numbers begin anew; `part` counts those of one transaction that are alike. `stream` is that of
    the bot that kept it.
    """

    __tablename__ = "whale_events"
    __table_args__ = (
        UniqueConstraint("content_key", "part"),
        Index(None, "token", "timestamp"),
        Index(None, "timestamp"),
    )

    id: Mapped[int] = mapped_column(_RowNumber, primary_key=True)
    stream: Mapped[int] = mapped_column(Integer)
    event_number: Mapped[int] = mapped_column(BigInteger)
    content_key: Mapped[str] = mapped_column(String(KEY_LENGTH))
    part: Mapped[int] = mapped_column(Integer)
    token: Mapped[str] = mapped_column(String(NAME_LENGTH))
    pair: Mapped[str | None] = mapped_column(String(NAME_LENGTH))
    amount: Mapped[float | None] = mapped_column(Double)
    amount_usd: Mapped[float | None] = mapped_column(Numeric(20, 2, asdecimal=False))
    direction: Mapped[str] = mapped_column(String(STATE_LENGTH))
    from_label: Mapped[str] = mapped_column(String(LABEL_LENGTH))
    to_label: Mapped[str] = mapped_column(String(LABEL_LENGTH))
    blockchain: Mapped[str] = mapped_column(String(KIND_LENGTH))
    tx_hash: Mapped[str] = mapped_column(String(HASH_LENGTH))
    impact: Mapped[str] = mapped_column(Text)
    text: Mapped[str] = mapped_column(Text)
    timestamp: Mapped[datetime]
    told_at: Mapped[datetime]


class SentimentSnapshot(Base):
    """The market's mood (specification 11.1); unknown is NULL.

    `kind` is the event that told it: "sentiment" tells all that is known, "regime" and "macro"
    only what that state has become.
    """

    __tablename__ = "sentiment_snapshots"
    __table_args__ = (UniqueConstraint("content_key", "part"), Index(None, "timestamp"))

    id: Mapped[int] = mapped_column(_RowNumber, primary_key=True)
    stream: Mapped[int] = mapped_column(Integer)
    event_number: Mapped[int] = mapped_column(BigInteger)
    content_key: Mapped[str] = mapped_column(String(KEY_LENGTH))
    part: Mapped[int] = mapped_column(Integer)
    kind: Mapped[str] = mapped_column(String(KIND_LENGTH))
    fear_greed_index: Mapped[int | None] = mapped_column(Integer)
    market_regime: Mapped[str | None] = mapped_column(String(STATE_LENGTH))
    btc_dominance: Mapped[float | None] = mapped_column(Numeric(5, 2, asdecimal=False))
    social_volume_score: Mapped[int | None] = mapped_column(Integer)
    macro_status: Mapped[str | None] = mapped_column(String(STATE_LENGTH))
    text: Mapped[str] = mapped_column(Text)
    timestamp: Mapped[datetime]


class Signal(Base):
    """Every judged candidate (specification 11.1): sent, vetoed, discarded, not taken, expired.

    `outcome` and the columns beside it are those of the real trade where there was one, else those
    of the replay on the candles that followed; `outcome_source` says which. The replay's own are
    kept for every signal. `status_at` is when its status was said.
    """

    __tablename__ = "signals"
    __table_args__ = (
        UniqueConstraint("bot", "pair", "close_time", "direction"),
        Index(None, "pair", "created_at"),
        Index(None, "outcome"),
        Index(None, "bot", "close_time"),
        Index(None, "bot", "replay_outcome", "close_time"),
    )

    id: Mapped[int] = mapped_column(_RowNumber, primary_key=True)
    bot: Mapped[str] = mapped_column(String(NAME_LENGTH))
    pair: Mapped[str] = mapped_column(String(NAME_LENGTH))
    direction: Mapped[str] = mapped_column(String(SIDE_LENGTH))
    close_time: Mapped[datetime]
    created_at: Mapped[datetime]
    valid_until: Mapped[datetime]

    status: Mapped[str] = mapped_column(String(STATUS_LENGTH))
    status_at: Mapped[datetime]
    block_reason: Mapped[str] = mapped_column(Text)
    confluence_score: Mapped[int] = mapped_column(Integer)
    signal_tier: Mapped[str] = mapped_column(String(STATUS_LENGTH))
    threshold_shift: Mapped[float]
    coverage: Mapped[float | None]
    setup: Mapped[str] = mapped_column(String(NAME_LENGTH))

    entry_price: Mapped[float]
    stop_loss: Mapped[float | None]
    tp1: Mapped[float | None]
    tp2: Mapped[float | None]
    tp3: Mapped[float | None]
    sl_pct: Mapped[float | None]
    rr_ratio: Mapped[float | None]
    cost_r: Mapped[float | None]
    amount: Mapped[float | None]
    leverage: Mapped[float | None]
    position_size_pct: Mapped[float | None]
    risk_pct: Mapped[float | None]
    risk_quote: Mapped[float | None]
    limited_by: Mapped[str | None] = mapped_column(String(KEY_LENGTH))
    size_factor: Mapped[float]

    ta_score: Mapped[int | None] = mapped_column(Integer)
    orderflow_score: Mapped[int | None] = mapped_column(Integer)
    onchain_score: Mapped[int | None] = mapped_column(Integer)
    sentiment_score: Mapped[int | None] = mapped_column(Integer)
    backtest_score: Mapped[int | None] = mapped_column(Integer)
    win_rate_pct: Mapped[float | None]
    market_regime: Mapped[str | None] = mapped_column(String(STATE_LENGTH))
    macro_status: Mapped[str | None] = mapped_column(String(STATE_LENGTH))
    layers: Mapped[dict[str, Any]]
    verdicts: Mapped[list[Any]]
    plan: Mapped[dict[str, Any] | None]

    settings_hash: Mapped[str] = mapped_column(String(KEY_LENGTH))
    code_version: Mapped[str] = mapped_column(String(KEY_LENGTH))
    preset: Mapped[str] = mapped_column(String(STATE_LENGTH))

    outcome: Mapped[str | None] = mapped_column(String(OUTCOME_LENGTH))
    outcome_source: Mapped[str | None] = mapped_column(String(STATUS_LENGTH))  # trade or replay
    actual_pnl_pct: Mapped[float | None]
    actual_rr: Mapped[float | None]
    hold_duration_minutes: Mapped[int | None] = mapped_column(Integer)
    closed_at: Mapped[datetime | None]

    replay_outcome: Mapped[str | None] = mapped_column(String(OUTCOME_LENGTH))
    replay_gross_r: Mapped[float | None]
    replay_net_r: Mapped[float | None]
    replay_pnl_pct: Mapped[float | None]
    replay_minutes: Mapped[int | None] = mapped_column(Integer)
    replay_resolution: Mapped[str | None] = mapped_column(String(STATUS_LENGTH))
    replay_is_ambiguous: Mapped[bool | None]


class PositionRow(Base):
    """One of the host's trades (specification 11.1, table positions)."""

    __tablename__ = "positions"
    __table_args__ = (
        UniqueConstraint("bot", "trade_id", "opened_at"),
        Index(None, "signal_id"),
        Index(None, "status"),
        Index(None, "bot", "closed_at"),
    )

    id: Mapped[int] = mapped_column(_RowNumber, primary_key=True)
    signal_id: Mapped[int | None] = mapped_column(ForeignKey("signals.id"))
    bot: Mapped[str] = mapped_column(String(NAME_LENGTH))
    trade_id: Mapped[int] = mapped_column(Integer)
    pair: Mapped[str] = mapped_column(String(NAME_LENGTH))
    direction: Mapped[str] = mapped_column(String(SIDE_LENGTH))
    status: Mapped[str] = mapped_column(String(STATUS_LENGTH))
    close_time: Mapped[datetime]  # of the signal's candle
    opened_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    entry_price: Mapped[float]
    amount: Mapped[float]
    leverage: Mapped[float]
    stop_loss: Mapped[float | None]
    current_price: Mapped[float | None]
    unrealized_pnl: Mapped[float]
    unrealized_pnl_pct: Mapped[float | None]
    profit: Mapped[float]
    profit_pct: Mapped[float | None]
    risk: Mapped[float | None]
    net_r: Mapped[float | None]
    outcome: Mapped[str | None] = mapped_column(String(OUTCOME_LENGTH))
    fills: Mapped[list[Any]]


class DailyPerformance(Base):
    """A UTC day of one bot (specification 11.1): counts made from the other tables, equity seen.

    `equity_at` is when its equity was last seen, `updated_at` when anything of it was written.
    """

    __tablename__ = "daily_performance"
    __table_args__ = (UniqueConstraint("bot", "date"), Index(None, "date"))

    id: Mapped[int] = mapped_column(_RowNumber, primary_key=True)
    bot: Mapped[str] = mapped_column(String(NAME_LENGTH))
    date: Mapped[date]
    total_signals: Mapped[int] = mapped_column(Integer)
    signals_sent: Mapped[int] = mapped_column(Integer)
    signals_blocked: Mapped[int] = mapped_column(Integer)
    wins: Mapped[int] = mapped_column(Integer)
    losses: Mapped[int] = mapped_column(Integer)
    win_rate: Mapped[float | None]
    total_pnl: Mapped[float]
    total_pnl_pct: Mapped[float | None]
    max_drawdown_pct: Mapped[float | None]
    avg_rr_achieved: Mapped[float | None]
    best_trade_pnl: Mapped[float | None]
    worst_trade_pnl: Mapped[float | None]
    breaker_activations: Mapped[int] = mapped_column(Integer)
    start_equity: Mapped[float | None]
    end_equity: Mapped[float | None]
    equity_at: Mapped[datetime | None]
    updated_at: Mapped[datetime]


class BreakerEvent(Base):
    """What a breaker or an admin did (specification 11.1)."""

    __tablename__ = "breaker_events"
    __table_args__ = (
        UniqueConstraint(
            "bot",
            "breaker_type",
            "action_taken",
            "pair",
            "direction",
            "timestamp",
            name="uq_breaker_events_event",  # of all columns it is too long for PostgreSQL
        ),
        Index(None, "bot", "timestamp"),
    )

    id: Mapped[int] = mapped_column(_RowNumber, primary_key=True)
    bot: Mapped[str] = mapped_column(String(NAME_LENGTH))
    breaker_type: Mapped[str] = mapped_column(String(KEY_LENGTH))
    reason: Mapped[str] = mapped_column(Text)
    pair: Mapped[str] = mapped_column(String(NAME_LENGTH))  # empty: all pairs
    direction: Mapped[str] = mapped_column(String(SIDE_LENGTH))
    action_taken: Mapped[str] = mapped_column(String(STATE_LENGTH))
    timestamp: Mapped[datetime]


class MessageRow(Base):
    """A message and what has become of it: what was told is not told again after a restart."""

    __tablename__ = "messages"
    __table_args__ = (
        UniqueConstraint("bot", "channel", "key"),
        Index(None, "bot", "status"),
        Index(None, "bot", "created_at"),
    )

    id: Mapped[int] = mapped_column(_RowNumber, primary_key=True)
    bot: Mapped[str] = mapped_column(String(NAME_LENGTH))
    channel: Mapped[str] = mapped_column(String(STATUS_LENGTH))
    key: Mapped[str] = mapped_column(String(NOTICE_KEY_LENGTH))
    kind: Mapped[str] = mapped_column(String(STATUS_LENGTH))
    revision: Mapped[int] = mapped_column(Integer)
    status: Mapped[str] = mapped_column(String(STATUS_LENGTH))
    html: Mapped[str] = mapped_column(Text)
    shown: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    chat_id: Mapped[str] = mapped_column(String(NAME_LENGTH))
    message_ids: Mapped[list[Any]]
    attempts: Mapped[int] = mapped_column(Integer)
    problem: Mapped[str] = mapped_column(Text)
    pair: Mapped[str] = mapped_column(String(NAME_LENGTH))
    direction: Mapped[str] = mapped_column(String(SIDE_LENGTH))
    close_time: Mapped[datetime | None]

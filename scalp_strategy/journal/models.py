"""The journal's tables. A change here needs a migration; a test compares the two."""

from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    DateTime,
    Dialect,
    Double,
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

VERSION_TABLE: Final = "scalp_journal_version"
NAME_LENGTH: Final = 64  # of pairs and tokens: the exchanges' longest have about 30
KEY_LENGTH: Final = 64
STATE_LENGTH: Final = 20
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
    type_annotation_map: dict[Any, Any] = {datetime: UtcDateTime()}  # noqa: RUF012 - its way


class EventCursor(Base):
    """The last event taken of a source of events; changed together with the rows it stands for."""

    __tablename__ = "event_cursors"

    source: Mapped[str] = mapped_column(String(NAME_LENGTH), primary_key=True)
    stream: Mapped[int] = mapped_column(Integer)
    number: Mapped[int] = mapped_column(BigInteger)
    at_ms: Mapped[int] = mapped_column(BigInteger)
    kind: Mapped[str] = mapped_column(String(KIND_LENGTH))


class WhaleEvent(Base):
    """A large transfer (specification 11.1), and which event told of it.

    `timestamp` is when it happened, `told_at` when the sidecar told of it. `content_key` is what
    makes it the same transfer when the sidecar's folder was replaced and numbers begin anew.
    """

    __tablename__ = "whale_events"
    __table_args__ = (
        UniqueConstraint("stream", "event_number"),
        Index(None, "content_key"),
        Index(None, "token", "timestamp"),
        Index(None, "timestamp"),
    )

    id: Mapped[int] = mapped_column(_RowNumber, primary_key=True)
    stream: Mapped[int] = mapped_column(Integer)
    event_number: Mapped[int] = mapped_column(BigInteger)
    content_key: Mapped[str] = mapped_column(String(KEY_LENGTH))
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
    __table_args__ = (
        UniqueConstraint("stream", "event_number"),
        Index(None, "content_key"),
        Index(None, "timestamp"),
    )

    id: Mapped[int] = mapped_column(_RowNumber, primary_key=True)
    stream: Mapped[int] = mapped_column(Integer)
    event_number: Mapped[int] = mapped_column(BigInteger)
    content_key: Mapped[str] = mapped_column(String(KEY_LENGTH))
    kind: Mapped[str] = mapped_column(String(KIND_LENGTH))
    fear_greed_index: Mapped[int | None] = mapped_column(Integer)
    market_regime: Mapped[str | None] = mapped_column(String(STATE_LENGTH))
    btc_dominance: Mapped[float | None] = mapped_column(Numeric(5, 2, asdecimal=False))
    social_volume_score: Mapped[int | None] = mapped_column(Integer)
    macro_status: Mapped[str | None] = mapped_column(String(STATE_LENGTH))
    text: Mapped[str] = mapped_column(Text)
    timestamp: Mapped[datetime]

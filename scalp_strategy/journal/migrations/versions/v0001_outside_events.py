"""Whale movements and market moods that the sidecar told of, and how far its events are taken."""

from typing import Any, Final

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_EVENTS: Final = ("whale_events", "sentiment_snapshots")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "event_cursors",
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("stream", sa.Integer, nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("source", name="pk_event_cursors"),
    )
    op.create_table(
        "whale_events",
        *_identity("whale_events"),
        sa.Column("token", sa.String(64), nullable=False),
        sa.Column("pair", sa.String(64)),
        sa.Column("amount", sa.Double),
        sa.Column("amount_usd", sa.Numeric(20, 2)),
        sa.Column("direction", sa.String(20), nullable=False),
        sa.Column("from_label", sa.String(100), nullable=False),
        sa.Column("to_label", sa.String(100), nullable=False),
        sa.Column("blockchain", sa.String(32), nullable=False),
        sa.Column("tx_hash", sa.String(128), nullable=False),
        sa.Column("impact", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("timestamp", sa.DateTime(timezone=True), nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "sentiment_snapshots",
        *_identity("sentiment_snapshots"),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("fear_greed_index", sa.Integer),
        sa.Column("market_regime", sa.String(20)),
        sa.Column("btc_dominance", sa.Numeric(5, 2)),
        sa.Column("social_volume_score", sa.Integer),
        sa.Column("macro_status", sa.String(20)),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("timestamp", sa.DateTime(timezone=True), nullable=False),
    )
    for table in _EVENTS:
        op.create_index(f"ix_{table}_content_key", table, ["content_key"])
        op.create_index(f"ix_{table}_timestamp", table, ["timestamp"])
    op.create_index("ix_whale_events_token_timestamp", "whale_events", ["token", "timestamp"])


def downgrade() -> None:
    """Drop the tables."""
    for table in (*_EVENTS, "event_cursors"):
        op.drop_table(table)


def _identity(table: str) -> list[Any]:
    return [
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("stream", sa.Integer, nullable=False),
        sa.Column("event_number", sa.BigInteger, nullable=False),
        sa.Column("content_key", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
        sa.UniqueConstraint("stream", "event_number", name=f"uq_{table}_stream_event_number"),
    ]

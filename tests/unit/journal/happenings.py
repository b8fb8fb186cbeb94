"""Events of the sidecar, as the journal is given them."""

from datetime import UTC, datetime

from scalp_strategy.journal.outside import (
    OutsideEvent,
    SentimentSnapshot,
    StateChange,
    WhaleMovement,
)

AT = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
AT_MS = int(AT.timestamp()) * 1_000
MINUTE_MS = 60_000


def movement(number: int = 1, **changes) -> WhaleMovement:
    """A deposit of 100 BTC; its hash tells the number."""
    values = {
        "token": "BTC",
        "direction": "deposit",
        "from_label": "unknown wallet",
        "to_label": "Binance",
        "blockchain": "bitcoin",
        "tx_hash": f"0xAB{number:04x}",
        "observed_at_ms": AT_MS + number * MINUTE_MS - 5_000,
        "amount": 100.0,
        "amount_usd": 6_500_000.55,
    }
    return WhaleMovement(**values | changes)


def whale(number: int, **changes) -> OutsideEvent:
    pair, content = "BTC/USDT:USDT", movement(number, **changes)
    at_ms = AT_MS + number * MINUTE_MS
    return OutsideEvent(number, at_ms, "whale", pair, f"transfer {number}", content)


def change(number: int, kind: str, old: str | None, new: str | None) -> OutsideEvent:
    at_ms = AT_MS + number * MINUTE_MS
    return OutsideEvent(number, at_ms, kind, None, f"{kind}: {new}", StateChange(old, new))


def snapshot(number: int, **values) -> OutsideEvent:
    at_ms = AT_MS + number * MINUTE_MS
    return OutsideEvent(number, at_ms, "sentiment", None, "mood", SentimentSnapshot(**values))


def other(number: int) -> OutsideEvent:
    """An event of a kind that has no table."""
    at_ms = AT_MS + number * MINUTE_MS
    return OutsideEvent(number, at_ms, "pairlist", "SOL/USDT:USDT", "pair added")

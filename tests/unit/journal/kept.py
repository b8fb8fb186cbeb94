"""Records of one signal's life, as the bot makes them."""

from contextlib import contextmanager
from typing import Any

from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL

from scalp_strategy.journal.records import (
    BreakerRecord,
    DayRecord,
    MessageRecord,
    PositionRecord,
    ReplayRecord,
    SignalRecord,
    SignalWord,
)
from scalp_strategy.journal.store import Journal
from scalp_strategy.journal.writer import apply
from tests.unit.journal.happenings import AT_MS, MINUTE_MS

PAIR = "BTC/USDT:USDT"
BOT = "scalp-dry-run-futures"
LAYERS = {
    "technical": {"long": 81.5, "short": 20.0, "reliability": 1.0, "reasons": ["RSI 28"]},
    "orderflow": {"long": 70.4999, "short": 30.0, "reliability": 0.9, "reasons": []},
    "onchain": {"long": None, "short": None, "reliability": 0.0, "reasons": []},
    "base_rate": {"long": 55.0, "short": 45.0, "reliability": 1.0, "samples": 40},
}


def _of_signal(values: dict[str, Any]) -> dict[str, Any]:
    return {"bot": BOT, "pair": PAIR, "side": "long", "close_ms": AT_MS, "at_ms": AT_MS} | values


def signal(**values) -> SignalRecord:
    given = {
        "status": "approved",
        "score": 82,
        "tier": "HIGH",
        "price": 65_000.0,
        "stop": 64_500.0,
        "targets": (65_500.0, 66_000.0, 66_500.0),
        "risk_quote": 15.0,
        "layers": LAYERS,
        "verdicts": ({"breaker": "overtrading", "blocks": False},),
        "plan": {"stop": 64_500.0},
        "valid_until_ms": AT_MS + 15 * MINUTE_MS,
    }
    return SignalRecord(**given | _of_signal(values))


def word(status: str, *reasons: str, after_ms: int = 0, **values) -> SignalWord:
    given = {"status": status, "reasons": reasons, "at_ms": AT_MS + after_ms}
    return SignalWord(**_of_signal(given | values))


def replay(outcome: str = "tp3", **values) -> ReplayRecord:
    given = {
        "outcome": outcome,
        "gross_r": 2.2,
        "net_r": 2.0,
        "pnl_pct": 1.5,
        "minutes": 75,
        "resolution": "1m",
    }
    return ReplayRecord(**given | _of_signal(values))


def position(status: str, after_ms: int = 0, **values) -> PositionRecord:
    """A trade of the signal, opened two seconds after the close."""
    given = {
        "status": status,
        "at_ms": AT_MS + after_ms,
        "trade_id": 7,
        "opened_ms": AT_MS + 2_000,
        "entry_price": 65_010.0,
        "amount": 0.02,
        "stop": 64_500.0,
        "price": 65_020.0,
    }
    return PositionRecord(**_of_signal(given | values))


def closed(outcome: str = "tp2", after_ms: int = 30 * MINUTE_MS, **values) -> PositionRecord:
    given = {"profit": 12.0, "profit_pct": 0.92, "net_r": 0.8, "closed_ms": AT_MS + after_ms}
    return position("closed", after_ms, outcome=outcome, **given | values)


def cancelled(after_ms: int = 15 * MINUTE_MS, **values) -> PositionRecord:
    given = {"amount": 0.0, "closed_ms": AT_MS + after_ms}
    return position("cancelled", after_ms, outcome="expired", **given | values)


def breaker(number: int = 0, **values) -> BreakerRecord:
    given = {
        "bot": BOT,
        "breaker": "overtrading",
        "action": "blocked",
        "reason": "10/10 signals this hour",
        "at_ms": AT_MS + number,
    }
    return BreakerRecord(**given | values)


def message(revision: int = 0, **values) -> MessageRecord:
    given = {
        "bot": BOT,
        "key": f"signal:{PAIR}:long:2026-03-02T10:00:00+00:00",
        "channel": "main",
        "kind": "signal",
        "revision": revision,
        "at_ms": AT_MS,
        "status": "queued",
        "html": "<b>LONG</b>",
    }
    return MessageRecord(**given | values)


def day(after_ms: int = 0, **values) -> DayRecord:
    given = {
        "bot": BOT,
        "day": "2026-03-02",
        "at_ms": AT_MS + after_ms,
        "start_equity": 1_000.0,
        "end_equity": 1_010.0,
        "max_drawdown_pct": 1.5,
    }
    return DayRecord(**given | values)


STORY = (
    signal(),
    breaker(),
    message(0),
    word("not_taken", "no free slot", after_ms=1_000),
    word("taken", after_ms=2_000),
    message(1, status="sent", shown="<b>LONG</b>", sent_ms=AT_MS + 2_500, message_ids=(17, 18)),
    position("pending", 3_000, amount=0.0),
    position("open", 5_000),
    position("open", 65_000, price=65_400.0, fills=({"tag": "tp1", "price": 65_500.0},)),
    closed(),
    message(2, status="sent", shown="<b>LONG</b> closed", message_ids=(17, 18)),
    replay("sl", net_r=-1.1),
    day(),
    day(60_000, end_equity=1_012.0, max_drawdown_pct=1.2),
)


def put(journal: Journal, *records) -> None:
    """Apply records in one transaction."""
    with journal.transaction() as session:
        apply(session, records)


def kept(journal: Journal, table: str, bot: str = BOT) -> list[dict[str, Any]]:
    """Return a bot's rows of a table in the order in which they were made."""
    chosen = text(f"SELECT * FROM {table} WHERE bot = :bot ORDER BY id")  # noqa: S608 - ours
    with journal.reading() as session:
        return [dict(row) for row in session.execute(chosen, {"bot": bot}).mappings()]


def only(journal: Journal, table: str, bot: str = BOT) -> dict[str, Any]:
    """Return the only row that a bot has in a table."""
    (row,) = kept(journal, table, bot)
    return row


@contextmanager
def locked(url: URL, table: str = "signals"):
    """Hold a lock that keeps every writer out until the block ends."""
    engine = create_engine(url)
    with engine.connect() as connection:
        if url.get_backend_name() == "sqlite":
            raw = connection.connection.driver_connection
            raw.isolation_level = None
            raw.execute("BEGIN IMMEDIATE")
        else:
            connection.execute(text(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"))
        yield
        if url.get_backend_name() == "sqlite":
            raw.execute("ROLLBACK")
    engine.dispose()

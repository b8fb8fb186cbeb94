"""What the bot writes into its journal: records that say the same however often they are applied.

Each is one line of JSON in the spool before it is rows in the database. A number that is unknown is
None. Instants are epoch milliseconds, prices are in quote currency, amounts in base currency.
"""

from typing import Any, Final, TypeAlias

import msgspec

RECORD_VERSION: Final = 1


class _Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What all records have in common: they are of one bot."""

    bot: str


class SignalRecord(_Record, frozen=True, kw_only=True, tag="signal"):
    """A judged candidate, or a later word on one (specification 11.1, table signals).

    Kept under bot, pair, side and close. A later record of the same signal changes `status` and
    `reasons` only, and only to a later `Status`; the first judgement of a candle stands.

    Attributes
    ----------
    at_ms
        When it was judged.
    layers
        By layer: `long`, `short`, `reliability` and `reasons`.
    verdicts
        Of every breaker: `breaker`, `blocks`, `size_factor`, `threshold_shift`, `reason`.
    plan
        `TradePlan.to_json()`, parsed.
    """

    pair: str
    side: str
    close_ms: int
    at_ms: int
    status: str
    reasons: tuple[str, ...] = ()
    score: int
    tier: str
    price: float
    setup: str = ""
    coverage: float | None = None
    threshold_shift: float = 0.0
    stop: float | None = None
    targets: tuple[float, ...] = ()
    sl_pct: float | None = None
    rr_ratio: float | None = None
    cost_r: float | None = None
    amount: float | None = None
    leverage: float | None = None
    position_size_pct: float | None = None
    risk_pct: float | None = None
    risk_quote: float | None = None
    limited_by: str | None = None
    size_factor: float = 1.0
    win_rate_pct: float | None = None
    market_regime: str | None = None
    macro_status: str | None = None
    valid_until_ms: int = 0
    settings_hash: str = ""
    code_version: str = ""
    preset: str = ""
    layers: dict[str, Any] = {}
    verdicts: tuple[dict[str, Any], ...] = ()
    plan: dict[str, Any] | None = None


class SignalWord(_Record, frozen=True, kw_only=True, tag="word"):
    """A later word on a signal: not taken (and why), taken, expired."""

    pair: str
    side: str
    close_ms: int
    at_ms: int
    status: str
    reasons: tuple[str, ...] = ()


class ReplayRecord(_Record, frozen=True, kw_only=True, tag="replay"):
    """What a signal would have become on the candles that followed, taken or not.

    Attributes
    ----------
    outcome
        See `trade_state.Outcome`.
    gross_r, net_r
        In R, before and after costs; None when it has no plan.
    minutes
        From the entry to the last exit.
    resolution
        Length of the candles it was resolved on: "1m", or "15m" where 1m candles are missing.
    is_ambiguous
        A candle touched both the stop and a target; the stop counted.
    """

    pair: str
    side: str
    close_ms: int
    at_ms: int
    outcome: str
    gross_r: float | None = None
    net_r: float | None = None
    pnl_pct: float | None = None
    minutes: int = 0
    resolution: str = ""
    is_ambiguous: bool = False


class PositionRecord(_Record, frozen=True, kw_only=True, tag="position"):
    """One of the host's trades as it stands (table positions); the latest `at_ms` counts.

    With an `outcome` it is over, and so is its signal: `profit`, `net_r` and duration are taken
    from here, after fees and funding.
    """

    pair: str
    side: str
    close_ms: int
    at_ms: int
    trade_id: int
    opened_ms: int
    status: str  # "pending", "open", "closed" or "cancelled"
    entry_price: float
    amount: float
    leverage: float = 1.0
    stop: float | None = None
    price: float | None = None
    profit: float = 0.0
    unrealised: float = 0.0
    unrealised_pct: float | None = None
    profit_pct: float | None = None
    risk: float | None = None
    net_r: float | None = None
    fills: tuple[dict[str, Any], ...] = ()
    outcome: str | None = None
    closed_ms: int | None = None


class BreakerRecord(_Record, frozen=True, kw_only=True, tag="breaker"):
    """What a breaker, or an admin, did (table breaker_events).

    Attributes
    ----------
    action
        "blocked", "size_reduced", "threshold_raised", "paused", "resumed" or "overridden".
    """

    breaker: str
    action: str
    reason: str
    at_ms: int
    pair: str = ""
    side: str = ""


class MessageRecord(_Record, frozen=True, kw_only=True, tag="message"):
    """A message and what has become of it; kept under bot, channel and key, the latest revision.

    Attributes
    ----------
    channel
        "main" or "signals".
    html
        As it was first to be sent; the base on which edits are made.
    shown
        What the chat shows now; empty before it was sent.
    status
        "queued", "sent", "expired" or "failed".
    message_ids
        Of the parts it was split into.
    """

    key: str
    channel: str
    kind: str
    revision: int
    at_ms: int
    status: str
    html: str
    shown: str = ""
    expires_ms: int | None = None
    sent_ms: int | None = None
    chat_id: str = ""
    message_ids: tuple[int, ...] = ()
    attempts: int = 0
    problem: str = ""
    pair: str = ""
    side: str = ""
    close_ms: int = 0


class DayRecord(_Record, frozen=True, kw_only=True, tag="day"):
    """What the account saw of a UTC day; the counts are made from the other tables."""

    day: str
    at_ms: int
    start_equity: float
    end_equity: float
    max_drawdown_pct: float


Record: TypeAlias = (
    SignalRecord
    | SignalWord
    | ReplayRecord
    | PositionRecord
    | BreakerRecord
    | MessageRecord
    | DayRecord
)
_DECODER: Final = msgspec.json.Decoder(Record)


def to_line(record: Record) -> bytes:
    """Return a record as one line of JSON, without its end."""
    return msgspec.json.encode(record)


def from_line(line: bytes) -> Record:
    """Return the record of a line.

    Raises
    ------
    msgspec.MsgspecError
        When it is none.
    """
    record: Record = _DECODER.decode(line)
    return record

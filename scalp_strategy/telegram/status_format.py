"""What has become of a signal: the block at the end of its message (pure).

The text is made from the message and from facts alone, never from the present instant or price. So
after a restart the same facts give the same text, and an edit is made only when something happened.
The block stays below 900 characters.
"""

import math
from collections.abc import Iterable
from decimal import Decimal
from typing import Final, NamedTuple

from scalp_strategy.contract import sign_of
from scalp_strategy.journal.records import ReplayRecord
from scalp_strategy.signals import Status
from scalp_strategy.telegram.html import bold, of_others
from scalp_strategy.trade_state import Fill, TradeState

_TRADE: Final = bold("📍 STATUS")
_NO_TRADE: Final = bold("📍 WITHOUT A TRADE")
_LONGEST_TAG: Final = 24
_MOST_EXITS: Final = 6  # the first ones; a trade has three targets, a stop and a time stop
_SHOWN_R: Final = 0.005  # what is rounded to 0.00 R
_MINUTES_PER_HOUR: Final = 60
_S_PER_MINUTE: Final = 60
_ENDINGS: Final[dict[str, str]] = {
    "sl": "stop-loss",
    "break_even": "stop at break-even",
    "trailing_stop": "trailing stop",
    "tp2": "second target",
    "tp3": "third target",
    "max_hold": "time stop",
    "expired": "not filled",
    "liquidation": "LIQUIDATION",
    "other": "another exit",
}
# Exits that are none of the ladder's targets, by the host's names.
_EXITS: Final = {
    "stop_loss": "🛑 Stop",
    "trailing_stop_loss": "🛑 Stop",
    "stoploss_on_exchange": "🛑 Stop",
    "liquidation": "💥 Liquidation",
    "time_stop": "⏳ Time stop",
    "force_exit": "✋ Closed by hand",
    "emergency_exit": "🛑 Emergency exit",
}
_REFUSALS: Final = {Status.NOT_TAKEN: "Not taken", Status.EXPIRED: "Expired"}
_REFUSED: Final = tuple(f"{word}: " for word in _REFUSALS.values())


class _Exit(NamedTuple):
    """All fills of one tag as one."""

    tag: str
    price: float
    amount: float
    last: Fill


def without_status(html: str) -> str:
    """Return a signal's message as it was first sent: what stands before the block."""
    return _parts(html)[0]


def has_trade(html: str) -> bool:
    """Return whether a message's block tells of a trade."""
    return _parts(html)[1][:1] == [_TRADE]


def with_trade(html: str, trade: TradeState) -> str:
    """Return a signal's message with its trade as it stands.

    Parameters
    ----------
    html
        The message, with a block or without.
    trade
        The trade that was opened on the signal.
    """
    lines = [_entry(trade), *_exits(trade)] if trade.is_filled else []
    return _joined(html, _TRADE, [*lines, _end(trade)])


def with_refusal(html: str, status: Status, reasons: Iterable[str]) -> str:
    """Return a signal's message with why it became no trade: not taken, or expired."""
    why = of_others("; ".join(reasons)) or "no reason given"
    return _joined(html, _NO_TRADE, [f"{_REFUSALS[status]}: {why}"])


def with_replay(html: str, replay: ReplayRecord, *, is_followed: bool) -> str:
    """Return a signal's message with what it has become on the candles.

    Parameters
    ----------
    html
        The message; what its block says of a refusal stays.
    replay
        The outcome.
    is_followed
        In a service without orders: the outcome is what counts. Else it is what would have been.
    """
    block = [line.removeprefix("├─ ").removeprefix("└─ ") for line in _parts(html)[1]]
    refused = [line for line in block if line.startswith(_REFUSED)]
    return _joined(html, _NO_TRADE, [*refused, _replayed(replay, is_followed=is_followed)])


# ---------------------------------------------------------------------------------- the one block


def _parts(html: str) -> tuple[str, list[str]]:
    """Return the message before its block, and the block's lines."""
    lines = html.split("\n")
    places = [place for place, line in enumerate(lines) if line in {_TRADE, _NO_TRADE}]
    if not places:
        return html, []
    base, block = lines[: places[0]], lines[places[0] :]
    return "\n".join(base[:-1] if base[-1:] == [""] else base), block


def _joined(html: str, head: str, lines: list[str]) -> str:
    *before, last = lines
    return "\n".join(
        [without_status(html), "", head, *(f"├─ {line}" for line in before), f"└─ {last}"]
    )


# --------------------------------------------------------------------------------------- a trade


def _entry(trade: TradeState) -> str:
    ordered = f"{trade.opened_at:%H:%M:%S} UTC"
    return f"Entry: {price_text(trade.entry_price)} filled (ordered {ordered})"


def _exits(trade: TradeState) -> list[str]:
    found = _by_tag(trade.fills)
    lines = [
        f"{_exit_words(one.tag)} {price_text(one.price)} "
        f"({_share(one.amount, trade.amount)}) {one.last.at:%H:%M:%S} UTC"
        for one in found[:_MOST_EXITS]
    ]
    more = len(found) - _MOST_EXITS
    return [*lines, f"and {more} more exits"] if more > 0 else lines


def _by_tag(fills: Iterable[Fill]) -> list[_Exit]:
    groups: dict[str, list[Fill]] = {}
    for fill in fills:
        groups.setdefault(fill.tag, []).append(fill)
    return [_summed(tag, group) for tag, group in groups.items()]


def _summed(tag: str, fills: list[Fill]) -> _Exit:
    amount = math.fsum(fill.amount for fill in fills)
    value = math.fsum(fill.amount * fill.price for fill in fills)
    return _Exit(tag, value / amount if amount else math.nan, amount, fills[-1])


def _exit_words(tag: str) -> str:
    if tag.startswith("tp"):
        return f"{of_others(tag.upper(), _LONGEST_TAG)} ✅"
    return _EXITS.get(tag, f"▫️ {of_others(tag, _LONGEST_TAG) or 'Exit'}")


def _share(amount: float, whole: float) -> str:
    return f"{amount / whole * 100:.0f} %"


def _end(trade: TradeState) -> str:
    if not trade.is_filled:
        return _unfilled(trade)
    if trade.outcome is not None:
        return f"🏁 Closed: {_ENDINGS[trade.outcome]}, {_result(trade)}"
    left = trade.amount - math.fsum(fill.amount for fill in trade.fills)
    return f"Open: {_share(max(0.0, left), trade.amount)} | stop {_stop(trade)}"


def _unfilled(trade: TradeState) -> str:
    if trade.is_over:
        return "🏁 Not filled: the order was cancelled"
    price, ordered = price_text(trade.entry_price), f"{trade.opened_at:%H:%M:%S} UTC"
    return f"Entry: ordered at {price} {ordered}, not filled yet"


def _stop(trade: TradeState) -> str:
    price, gain = price_text(trade.stop), sign_of(trade.side) * (trade.stop - trade.entry_price)
    secured = gain * trade.amount / trade.risk if trade.risk > 0 else math.nan
    if not math.isfinite(secured):
        return price
    return f"{price} ({'break-even' if abs(secured) < _SHOWN_R else f'{secured:+.2f} R'})"


def _result(trade: TradeState) -> str:
    currency = of_others(trade.pair.partition("/")[2].partition(":")[0], _LONGEST_TAG)
    money = f"{trade.profit:+.2f} {currency}{_percent(trade.profit_pct)}"
    return ", ".join([f"{_r(trade.net_r)} net", money, *_held(trade)])


def _held(trade: TradeState) -> list[str]:
    if trade.closed_at is None:
        return []
    # Whole seconds: the journal keeps no more than milliseconds, and must tell the same.
    held = trade.closed_at.replace(microsecond=0) - trade.opened_at.replace(microsecond=0)
    return [duration_text(int(held.total_seconds()) // _S_PER_MINUTE)]


# ------------------------------------------------------------------------------------ no trade


def _replayed(replay: ReplayRecord, *, is_followed: bool) -> str:
    head = "🏁 Followed" if is_followed else "Untaken"
    if replay.outcome == "expired":
        return f"{head}: the price had moved too far from the entry"
    if replay.net_r is None:
        return f"{head}: the outcome is unknown"
    ended = "ended" if is_followed else "would have ended"
    words = _ENDINGS.get(replay.outcome, _ENDINGS["other"])
    result = f"{_r(replay.net_r)} net{_percent(replay.pnl_pct)}, {duration_text(replay.minutes)}"
    return f"{head}: {ended} by {words}, {result}{_doubts(replay)}"


def _doubts(replay: ReplayRecord) -> str:
    doubts = [f"on {of_others(replay.resolution, _LONGEST_TAG)} candles"] * bool(replay.resolution)
    if replay.is_ambiguous:
        doubts.append("stop and target in one candle: the stop counts")
    return f" ({'; '.join(doubts)})" if doubts else ""


# ---------------------------------------------------------------------------------------- numbers


def price_text(price: float) -> str:
    """Return a price in up to eight digits, never with an exponent.

    Examples
    --------
    >>> price_text(0.00001235), price_text(97_000.3), price_text(float("nan"))
    ('0.00001235', '97000.3', 'unknown')
    """
    if not math.isfinite(price):
        return "unknown"
    return format(Decimal(f"{price:.8g}"), "f")


def duration_text(minutes: int) -> str:
    """Return whole minutes as hours and minutes.

    Examples
    --------
    >>> duration_text(45), duration_text(125)
    ('45m', '2h 05m')
    """
    hours, left = divmod(minutes, _MINUTES_PER_HOUR)
    return f"{hours}h {left:02d}m" if hours else f"{left}m"


def _r(value: float) -> str:
    return f"{value:+.2f} R" if math.isfinite(value) else "unknown R"


def _percent(value: float | None) -> str:
    return "" if value is None or not math.isfinite(value) else f" ({value:+.2f} %)"

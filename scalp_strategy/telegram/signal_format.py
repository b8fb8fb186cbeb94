"""The signal message: everything the trader needs to judge a signal (pure).

With the longest texts of others it stays below 3,300 characters, so that it can be edited as one
message, its status included.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from scalp_strategy.contract import TIER_HIGH, Side
from scalp_strategy.errors import ContractViolation
from scalp_strategy.journal.outside import one_line
from scalp_strategy.risk.plan import digits_of, price_to_tick
from scalp_strategy.telegram.cornix import Levels, cornix_lines
from scalp_strategy.telegram.html import Text, bold, code, escape, message, of_others

NO_DATA: Final = "no data"
RULE: Final = "━" * 25
_LONGEST_REASON: Final = 140
_LONGEST_NAME: Final = 40
_SPLIT_TOO_SMALL: Final = "no order (position too small to split)"


@dataclass(frozen=True, slots=True)
class LayerText:
    """What one layer said: its score (0..100; None or NaN = unknown) and reasons, best first."""

    score: float | None = None
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PastText:
    """What a win rate rests on: occurrences of a setup (by its name), and their mean in R."""

    samples: float
    mean_r: float
    setup: str


@dataclass(frozen=True, slots=True)
class SignalNotes:
    """What the footnotes say: the setup, what limited the size, and the settings in force.

    `is_tier_capped` marks a score that is HIGH in a signal that is MEDIUM for want of evidence.
    """

    setup: str
    limited_by: str
    preset: str
    settings_hash: str
    is_tier_capped: bool = False


@dataclass(frozen=True, slots=True)
class SignalText:
    """Every value the signal message shows.

    Prices are exact and printed rounded to `price_tick`; `sl_pct`, `size_pct` and
    `win_rate_pct` are percent, `coverage` and `close_shares` ratios. A close share of 0 marks a
    target whose leg was merged into another. `star_steps` are the scores from which on one more
    star is given, beginning with two stars. None or NaN means unknown and prints "no data".
    """

    side: Side
    pair: str
    tier: int
    score: float
    price: float
    stop: float
    targets: tuple[float, float, float]
    price_tick: float
    sl_pct: float
    rr_ratio: float
    size_pct: float
    risk_usd: float
    cost_r: float
    coverage: float
    technical: LayerText = field(default_factory=LayerText)
    orderflow: LayerText = field(default_factory=LayerText)
    onchain: LayerText = field(default_factory=LayerText)
    sentiment: LayerText = field(default_factory=LayerText)
    base_rate: LayerText = field(default_factory=LayerText)
    win_rate_pct: float | None = None
    past: PastText | None = None
    regime: str | None = None
    timeframe: str = "15m"
    timeframe_minutes: int = 15
    validity_minutes: int = 15
    max_hold_candles: int = 8
    close_shares: tuple[float, float, float] = (0.4, 0.4, 0.2)
    star_steps: tuple[float, ...] = (70.0, 80.0, 90.0)
    notes: SignalNotes | None = None
    leverage: float = 1.0
    has_cornix: bool = False

    def __post_init__(self) -> None:
        levels = (self.price, self.stop, *self.targets, self.score)
        if not all(math.isfinite(level) for level in levels):
            raise ContractViolation(f"a signal without score or levels: {levels}")


def signal_message(signal: SignalText) -> Text:
    """Return the message of a signal.

    Parameters
    ----------
    signal : SignalText
        Every value shown.

    Returns
    -------
    Text
        The lines of specification 10.3, with cost and coverage beneath the risk/reward line, and
        the footnotes at the end. Unknown values read "no data".
    """
    return message(
        [
            *_headline(signal),
            "",
            *_setup(signal),
            "",
            *_risk(signal),
            "",
            *_breakdown(signal),
            "",
            f"🌐 Market Regime: {of_others(signal.regime or '', _LONGEST_NAME) or NO_DATA}",
            RULE,
            _hold(signal),
            "🤖 100% data-driven. Zero emotion.",
            *_footnotes(signal),
            *_cornix(signal),
        ]
    )


def format_signal(signal: SignalText) -> str:
    """Return `signal_message` as plain text, without any markup."""
    return signal_message(signal).plain


def format_signal_html(signal: SignalText) -> str:
    """Return `signal_message` as Telegram's HTML."""
    return signal_message(signal).html


def _headline(signal: SignalText) -> list[str]:
    emoji, side = ("🟢", "LONG") if signal.side == "long" else ("🔴", "SHORT")
    tier_emoji = "🔥" if signal.tier == TIER_HIGH else "⚡"
    score = _whole(signal.score)
    stars = "⭐" * (2 + sum(score >= step for step in signal.star_steps))
    pair = one_line(signal.pair, _LONGEST_NAME)
    return [
        bold(f"{emoji} {side} — {pair} {tier_emoji}"),
        RULE,
        f"📊 Confluence Score: {score}/100 {stars}",
        f"⏱ Timeframe: {escape(signal.timeframe)} | Valid: {signal.validity_minutes} min",
    ]


def _setup(signal: SignalText) -> list[str]:
    levels = _levels(signal)
    actions = zip(levels.targets, _actions(signal.close_shares), strict=True)
    targets = [
        f"TP{place}: ${price} → {action}" for place, (price, action) in enumerate(actions, 1)
    ]
    return [
        bold("💰 TRADE SETUP"),
        f"├─ Entry: ${levels.entry}",
        f"├─ Stop Loss: ${levels.stop} ({_number(signal.sl_pct, 2, '%')})",
        *(f"├─ {target}" for target in targets[:-1]),
        f"└─ {targets[-1]}",
    ]


def _levels(signal: SignalText) -> Levels:
    tick, side = signal.price_tick, signal.side
    return Levels(
        _price(signal.price, tick),
        _price(price_to_tick(signal.stop, tick, side, "stop"), tick),
        [_price(price_to_tick(price, tick, side, "target"), tick) for price in signal.targets],
    )


def _actions(shares: tuple[float, float, float]) -> list[str]:
    """Say what happens at each target; the stop moves only while something is left to protect."""
    used = [index for index, share in enumerate(shares) if share > 0]
    actions = []
    for index, (share, moved) in enumerate(
        zip(shares, (" | Move SL to BE", " | Trail SL to TP1", " (runner)"), strict=True)
    ):
        is_moved = index != used[-1] or index == len(shares) - 1
        close = f"Close {share * 100:.0f}%" + (moved if is_moved else "")
        actions.append(close if index in used else _SPLIT_TOO_SMALL)
    return actions


def _risk(signal: SignalText) -> list[str]:
    coverage_pct = signal.coverage * 100
    return [
        f"⚖️ Risk/Reward: 1:{_number(signal.rr_ratio, 1)}",
        f"💸 Round-trip cost: {_number(signal.cost_r, 2, 'R')}",
        f"🧭 Evidence known: {_number(coverage_pct, 0, '%')}",
        f"📐 Position Size: {_number(signal.size_pct, 2, '% of portfolio')}",
        f"💵 Risk: {_number(signal.risk_usd, 2, before='$')}",
    ]


def _breakdown(signal: SignalText) -> list[str]:
    return [
        bold("📡 DATA BREAKDOWN"),
        *_layer("├─ TA", signal.technical, most=2),
        *_layer("├─ Order Flow", signal.orderflow, most=2),
        *_layer("├─ On-Chain", signal.onchain, most=1),
        *_layer("├─ Sentiment", signal.sentiment, most=1),
        f"└─ Backtest: {_layer_score(signal.base_rate)}",
        f"    └─ Historical win rate: {_win_rate(signal)}",
    ]


def _win_rate(signal: SignalText) -> str:
    rate, past = _number(signal.win_rate_pct, 0, "%"), signal.past
    if past is None or rate == NO_DATA:
        return rate
    # The rate is drawn towards that of all setups, the fewer cases the more: no plain share.
    setup = of_others(past.setup, _LONGEST_NAME)
    return f"about {rate} from {past.samples:.0f} cases, mean {past.mean_r:+.2f}R ({setup})"


def _layer(label: str, layer: LayerText, most: int) -> list[str]:
    score = _layer_score(layer)
    silent = NO_DATA if score == NO_DATA else "nothing notable"
    return [f"{label}: {score}", f"│   └─ {_reasons(layer.reasons[:most]) or silent}"]


def _layer_score(layer: LayerText) -> str:
    score = layer.score
    return NO_DATA if score is None or not math.isfinite(score) else f"{_whole(score)}/100"


def _reasons(reasons: Sequence[str]) -> str:
    """Join reasons on one line, whatever an outside source put into them."""
    return ", ".join(of_others(reason, _LONGEST_REASON) for reason in reasons)


def _hold(signal: SignalText) -> str:
    hours, minutes = divmod(signal.max_hold_candles * signal.timeframe_minutes, 60)
    duration = " ".join(
        part for part in (f"{hours}h" * bool(hours), f"{minutes}m" * bool(minutes)) if part
    )
    return f"⚠️ Max hold: {signal.max_hold_candles} candles ({duration})"


def _footnotes(signal: SignalText) -> list[str]:
    notes = signal.notes
    if notes is None:
        return []
    setup, limited_by, preset = (
        of_others(text, _LONGEST_NAME) for text in (notes.setup, notes.limited_by, notes.preset)
    )
    lines = [f"📎 Setup: {setup} | Size limited by: {limited_by}"]
    if notes.is_tier_capped:
        lines.append(
            "📎 The score is HIGH, the signal is MEDIUM: only "
            f"{_number(signal.coverage * 100, 0, '%')} of the evidence is known"
        )
    return [*lines, f"📎 Settings: {preset} {code(one_line(notes.settings_hash, _LONGEST_NAME))}"]


def _cornix(signal: SignalText) -> list[str]:
    if not signal.has_cornix:
        return []
    levels = _levels(signal)
    used = [
        price for price, share in zip(levels.targets, signal.close_shares, strict=True) if share
    ]
    pair = one_line(signal.pair, _LONGEST_NAME)
    lines = cornix_lines(pair, signal.side, signal.leverage, levels._replace(targets=used))
    return ["", *map(escape, lines)]


def _whole(score: float) -> int:
    """Round half up, as the score was rounded before it was compared."""
    return math.floor(score + 0.5)


def _price(price: float, tick: float) -> str:
    return f"{price:.{digits_of(tick)}f}"


def _number(value: float | None, digits: int, after: str = "", before: str = "") -> str:
    if value is None or not math.isfinite(value):
        return NO_DATA
    return f"{before}{value:.{digits}f}{after}"

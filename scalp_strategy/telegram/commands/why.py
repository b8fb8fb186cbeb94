"""The present breakdown of a pair: /why."""

import math
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Final

from scalp_strategy.confluence import rounded
from scalp_strategy.contract import TIER_NAMES
from scalp_strategy.evidence import Evidence
from scalp_strategy.telegram.commands.base import STARTING, Answer, clock, number, price
from scalp_strategy.telegram.facts import Facts
from scalp_strategy.telegram.html import bold, escape, of_others

_MOST_REASONS: Final = 3
_NEAREST: Final = 3
_NEAR_RATIO: Final = 0.4  # how like a pair's name a word must be to be taken for a slip
_NAME_LENGTH: Final = 24
_TITLES: Final = {
    "technical": "TA",
    "orderflow": "Order flow",
    "onchain": "On-chain",
    "sentiment": "Sentiment",
    "base_rate": "Base rate",
}


def why(facts: Facts, words: list[str]) -> Answer:
    """Answer /why PAIR."""
    if facts.engine is None:
        return Answer(STARTING)
    if not words:
        return Answer("Which pair? For instance: /why SOL")
    pairs = facts.pairs()
    pair = pair_of(words[0], pairs)
    if pair is None:
        return Answer(_unknown(words[0], pairs))
    evidence = facts.evidence(pair)
    if evidence is None:
        return Answer(f"{escape(pair)}: no candle of it has been analysed yet.")
    lines = [*_head(evidence, facts), *_layers(evidence), *_verdict(evidence, facts)]
    return Answer("\n".join(lines), _picture(evidence, facts), escape(pair))


def pair_of(word: str, pairs: Sequence[str]) -> str | None:
    """Return the pair that a word means: SOL, sol/usdt, SOLUSDT or its whole name.

    Examples
    --------
    >>> pair_of("solusdt", ["ETH/USDT:USDT", "SOL/USDT:USDT"])
    'SOL/USDT:USDT'
    """
    wanted = word.upper()
    for pair in pairs:
        name = pair.partition(":")[0]
        if wanted in {pair.upper(), name, name.replace("/", ""), name.partition("/")[0]}:
            return pair
    return None


def _unknown(word: str, pairs: Sequence[str]) -> str:
    names = [one.partition("/")[0] for one in pairs]
    base = word.upper().partition("/")[0].removesuffix("USDT") or word.upper()
    near = get_close_matches(base, names, _NEAREST, _NEAR_RATIO)
    hint = f" Near it: {escape(', '.join(near))}." if near else ""
    return f"{of_others(word, _NAME_LENGTH)} is not scanned now.{hint}"


def _head(evidence: Evidence, facts: Facts) -> list[str]:
    rules, shift = facts.settings.confluence, evidence.threshold_shift
    side = evidence.side.upper() if evidence.has_direction else "no direction"
    hour = f", {shift:g} more in this hour" if shift > 0 else ""
    return [
        bold(f"🔎 {evidence.pair}: {side}"),
        f"Candle closed {clock(evidence.close_time)} UTC at {price(evidence.price)}",
        (
            f"Confluence: long {number(evidence.confluence_long, 1)} | "
            f"short {number(evidence.confluence_short, 1)}"
        ),
        (
            f"Tier: {TIER_NAMES[evidence.tier]} (HIGH from {rules.high_threshold:g}, MEDIUM from "
            f"{rules.medium_threshold:g}{hour})"
        ),
        f"Evidence known: {number(evidence.coverage * 100, 0, ' %')}",
        (
            f"Regime: {of_others(evidence.regime or 'no data')} | "
            f"Macro: {of_others(evidence.macro or 'no data')}"
        ),
    ]


def _layers(evidence: Evidence) -> list[str]:
    lines = []
    for name, layer in evidence.layers.items():
        lines.append(
            f"• {_TITLES.get(name, name)}: long {number(layer.long, 0)} | "
            f"short {number(layer.short, 0)} | reliability {number(layer.reliability, 2)}"
        )
        lines += [f"   {of_others(reason)}" for reason in layer.reasons[:_MOST_REASONS]]
    past = evidence.past
    if past is not None:
        lines.append(
            f"   {of_others(past.setup)}: about {past.win_rate_pct:.0f} % won of "
            f"{past.samples:.0f} cases, mean {past.mean_r:+.2f} R"
        )
    return lines


def _verdict(evidence: Evidence, facts: Facts) -> list[str]:
    """Say what stands between the candle and a signal, as it is now."""
    state = facts.account
    lines = [f"⏸ Signals are paused: {of_others(state.pause_reason)}"] if state.is_paused else []
    if evidence.gate:
        lines.append(f"🚧 Gate: {of_others(evidence.gate)}")
    reason = _too_little(evidence, facts)
    if reason is not None:
        return [*lines, f"{bold('No signal:')} {escape(reason)}"]
    spoken = facts.verdicts(evidence)
    lines += [
        f"🛡 {of_others(verdict.breaker.replace('_', ' '))}: {of_others(verdict.reason)}"
        for verdict in spoken
        if verdict.reason
    ]
    is_blocked = state.is_paused or evidence.gate or any(verdict.blocks for verdict in spoken)
    return [*lines, bold("A signal, not let through" if is_blocked else "A signal")]


def _too_little(evidence: Evidence, facts: Facts) -> str | None:
    """Return why the scores make no signal, None when they make one."""
    if not evidence.has_direction:
        return "the technical layer has no direction"
    is_long = evidence.side == "long"
    score = evidence.confluence_long if is_long else evidence.confluence_short
    if math.isnan(score):
        return "the score is unknown"
    whole = float(rounded(score))
    needed = facts.settings.confluence.medium_threshold + evidence.threshold_shift
    if whole < needed:
        return f"the score {whole:.0f} is below {needed:g}"
    if evidence.tier == 0:
        return f"only {number(evidence.coverage * 100, 0, ' %')} of the evidence is known"
    return None


def _picture(evidence: Evidence, facts: Facts) -> bytes | None:
    frame = facts.frame(evidence.pair)
    if frame is None:
        return None
    # Not at the top: drawing takes half a second to import, and no backtest draws.
    from scalp_strategy.telegram.chart import chart  # noqa: PLC0415

    return chart(evidence.pair, frame, facts.settings, facts.levels(evidence))

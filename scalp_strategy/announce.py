"""Decisions in words: one line for the log, the whole message for the trader."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from scalp_strategy.analysed import CANDLE_MINUTES, instant_ns
from scalp_strategy.base_rate import SETUP_LABELS, side_column
from scalp_strategy.contract import LAYERS, Side, layer_column
from scalp_strategy.engine import Engine
from scalp_strategy.errors import ContractViolation
from scalp_strategy.layers import layer_reasons
from scalp_strategy.risk import LEG_TAGS, PositionSize
from scalp_strategy.signals import Candidate, Decision
from scalp_strategy.technical import technical_reasons
from scalp_strategy.telegram.alert_format import without_markup
from scalp_strategy.telegram.signal_format import (
    LayerText,
    PastText,
    SignalText,
    format_signal,
)

_NS_PER_MS = 1_000_000


def summary(decision: Decision) -> str:
    """Return one line that says what was decided and why."""
    candidate = decision.candidate
    head = (
        f"{candidate.pair} {candidate.side} {candidate.score}/100 {candidate.tier_name} "
        f"({candidate.setup}, coverage {candidate.coverage:.2f})"
    )
    if decision.size is not None and decision.is_approved:
        size = decision.size
        return (
            f"{head}: approved, risk {size.risk_pct:.2f} % of equity, "
            f"{size.leverage:g}x, limited by {size.limited_by}"
        )
    return f"{head}: {decision.status.value}: {'; '.join(decision.reasons)}"


def announcement(decision: Decision, engine: Engine) -> str:
    """Return the signal's message, in the format of the specification (10.3).

    Raises
    ------
    ContractViolation
        When the decision has no plan or size: only approved ones are announced.
    """
    candidate, plan, size = decision.candidate, decision.plan, decision.size
    analysed = engine.desk.analysed(candidate.pair)
    if plan is None or size is None or analysed is None:
        raise ContractViolation(f"{candidate.pair}: only an approved signal can be announced")
    settings = engine.desk.settings
    row = analysed.row(instant_ns(candidate.close_time))
    layers = {name: _layer(row, name, candidate.side) for name in LAYERS}
    reasons = technical_reasons(row, candidate.side, settings)
    win_rate_pct, past = _past(row, candidate.side)
    message = format_signal(
        SignalText(
            side=candidate.side,
            pair=candidate.pair,
            tier=candidate.tier,
            score=candidate.score,
            price=plan.price,
            stop=plan.stop,
            targets=plan.targets,
            price_tick=engine.host.market(candidate.pair, plan.price).price_tick,
            sl_pct=plan.sl_pct,
            rr_ratio=plan.gross_rr,
            size_pct=size.size_pct,
            risk_usd=size.risk_quote,
            cost_r=plan.cost_r,
            coverage=candidate.coverage,
            technical=LayerText(layers["technical"].score, tuple(reasons)),
            orderflow=_with_reasons(layers["orderflow"], candidate, "orderflow", engine),
            onchain=_with_reasons(layers["onchain"], candidate, "onchain", engine),
            sentiment=_with_reasons(layers["sentiment"], candidate, "sentiment", engine),
            base_rate=layers["base_rate"] if past is not None else LayerText(),
            win_rate_pct=win_rate_pct,
            past=past,
            regime=_regime(row),
            timeframe_minutes=CANDLE_MINUTES,
            validity_minutes=settings.entry.signal_expiry_minutes,
            max_hold_candles=settings.risk.ladder.max_hold_candles,
            close_shares=_close_shares(size),
        )
    )
    text = "\n".join([message, *_footnotes(decision, size, settings.preset)])
    # The host sends it to Telegram as Markdown, where a lone underscore, or a bracket in what an
    # outside source wrote, loses the message.
    return without_markup(text)


def _footnotes(decision: Decision, size: PositionSize, preset: str) -> list[str]:
    candidate = decision.candidate
    notes = [f"📎 Setup: {candidate.setup} | Size limited by: {size.limited_by}"]
    if candidate.is_tier_capped:
        notes.append(
            f"📎 The score is HIGH, the signal is MEDIUM: only {candidate.coverage:.0%} of the "
            "evidence is known"
        )
    notes.append(f"📎 Settings: {preset} {decision.settings_hash}")
    return notes


def _layer(row: Mapping[str, Any], name: str, side: str) -> LayerText:
    score = row.get(layer_column(name, side))
    return LayerText(None if score is None else float(score))


def _past(row: Mapping[str, Any], side: Side) -> tuple[float | None, PastText | None]:
    """Return the setup's win rate in percent and what it rests on; None where it is unknown."""
    names = ("win_rate", "samples", "mean_r", "setup")
    values = [float(row.get(side_column(name, side), math.nan)) for name in names]
    if not all(math.isfinite(value) for value in values):
        return None, None
    win_rate, samples, mean_r, setup = values
    return win_rate * 100, PastText(samples, mean_r, SETUP_LABELS[int(setup)])


def _with_reasons(text: LayerText, candidate: Candidate, layer: str, engine: Engine) -> LayerText:
    close_ms = instant_ns(candidate.close_time) // _NS_PER_MS
    said = layer_reasons(engine.layers, candidate.pair, close_ms, layer, engine.desk.settings)
    return replace(text, reasons=said.reasons)


def _regime(row: Mapping[str, Any]) -> str | None:
    regime = row.get("regime")
    return regime if isinstance(regime, str) else None


def _close_shares(size: PositionSize) -> tuple[float, float, float]:
    shares = dict.fromkeys(LEG_TAGS, 0.0)
    for leg in size.legs:
        shares[leg.tag] = leg.amount / size.amount
    first, second, third = shares.values()
    return first, second, third

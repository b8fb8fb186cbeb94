"""Decisions in words: one line for the log, the whole message for the trader."""

from typing import Protocol

from scalp_strategy.analysed import CANDLE_MINUTES
from scalp_strategy.decision import DecisionDesk
from scalp_strategy.errors import ContractViolation
from scalp_strategy.evidence import Evidence, Past, evidence_at
from scalp_strategy.layers import LayerSource
from scalp_strategy.risk import LEG_TAGS, Market, PositionSize
from scalp_strategy.settings import Settings
from scalp_strategy.signals import Decision
from scalp_strategy.telegram.html import Text
from scalp_strategy.telegram.signal_format import (
    LayerText,
    PastText,
    SignalNotes,
    SignalText,
    signal_message,
)


class Markets(Protocol):
    """Who knows the exchange's rules."""

    def market(self, pair: str, price: float) -> Market:
        """Return the rules for a pair at about this price."""


class Rooms(Protocol):
    """What a message is made from."""

    @property
    def desk(self) -> DecisionDesk:
        """Settings and analysed candles."""

    @property
    def host(self) -> Markets:
        """The exchange's rules."""

    @property
    def layers(self) -> LayerSource:
        """What the outside layers said."""


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


def announcement(decision: Decision, rooms: Rooms) -> Text:
    """Return the signal's message, in the format of the specification (10.3).

    Raises
    ------
    ContractViolation
        When the decision has no plan or size: only approved ones are announced.
    """
    candidate, plan, size = decision.candidate, decision.plan, decision.size
    analysed, settings = rooms.desk.analysed(candidate.pair), rooms.desk.settings
    evidence = analysed and evidence_at(
        analysed, candidate.close_time, rooms.layers, settings, candidate.side
    )
    if plan is None or size is None or not evidence:
        raise ContractViolation(f"{candidate.pair}: only an approved signal can be announced")
    past = evidence.past
    return signal_message(
        SignalText(
            side=candidate.side,
            pair=candidate.pair,
            tier=candidate.tier,
            score=candidate.score,
            price=plan.price,
            stop=plan.stop,
            targets=plan.targets,
            price_tick=rooms.host.market(candidate.pair, plan.price).price_tick,
            sl_pct=plan.sl_pct,
            rr_ratio=plan.gross_rr,
            size_pct=size.size_pct,
            risk_usd=size.risk_quote,
            cost_r=plan.cost_r,
            coverage=candidate.coverage,
            technical=_layer(evidence, "technical"),
            orderflow=_layer(evidence, "orderflow"),
            onchain=_layer(evidence, "onchain"),
            sentiment=_layer(evidence, "sentiment"),
            base_rate=_layer(evidence, "base_rate") if past is not None else LayerText(),
            win_rate_pct=past.win_rate_pct if past is not None else None,
            past=_past(past),
            regime=evidence.regime,
            timeframe_minutes=CANDLE_MINUTES,
            validity_minutes=settings.entry.signal_expiry_minutes,
            max_hold_candles=settings.risk.ladder.max_hold_candles,
            close_shares=_close_shares(size),
            notes=_notes(decision, size, settings),
            leverage=size.leverage,
            has_cornix=settings.telegram.cornix,
        )
    )


def _notes(decision: Decision, size: PositionSize, settings: Settings) -> SignalNotes:
    return SignalNotes(
        setup=_words(decision.candidate.setup),
        limited_by=_words(size.limited_by),
        preset=settings.preset,
        settings_hash=decision.settings_hash,
        is_tier_capped=decision.candidate.is_tier_capped,
    )


def _layer(evidence: Evidence, name: str) -> LayerText:
    layer = evidence.layers[name]
    return LayerText(layer.score(evidence.side), layer.reasons)


def _past(past: Past | None) -> PastText | None:
    return None if past is None else PastText(past.samples, past.mean_r, _words(past.setup))


def _words(name: str) -> str:
    return name.replace("_", " ")


def _close_shares(size: PositionSize) -> tuple[float, float, float]:
    shares = dict.fromkeys(LEG_TAGS, 0.0)
    for leg in size.legs:
        shares[leg.tag] = leg.amount / size.amount
    first, second, third = shares.values()
    return first, second, third

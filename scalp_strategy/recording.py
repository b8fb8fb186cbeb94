"""Decisions as records of the journal."""

import json
import logging
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, Final

from scalp_strategy.evidence import Evidence, LayerEvidence
from scalp_strategy.fingerprint import code_fingerprint
from scalp_strategy.journal import MemoryLog
from scalp_strategy.journal.instants import epoch_ms
from scalp_strategy.journal.records import (
    BreakerRecord,
    Record,
    SignalRecord,
    SignalWord,
)
from scalp_strategy.settings import Settings
from scalp_strategy.signals import Decision, SignalKey, Status, Verdict

logger = logging.getLogger(__name__)

_LATER: Final = frozenset({Status.NOT_TAKEN, Status.TAKEN, Status.EXPIRED})
_KEPT: Final = 1_000

Keep = Callable[[Record], None]
EvidenceOf = Callable[[SignalKey], Evidence | None]


def known(value: float | None) -> float | None:
    """Return a number, None where it is unknown."""
    return value if value is not None and math.isfinite(value) else None


def signal_record(
    decision: Decision, evidence: Evidence | None, bot: str, now: datetime, settings: Settings
) -> SignalRecord:
    """Return the record of a judgement.

    Parameters
    ----------
    decision
        As it was judged.
    evidence
        What the layers said of its candle; None leaves that empty.
    bot
        Whose journal it is.
    now
        When it was judged.
    settings
        What it was judged with.
    """
    candidate = decision.candidate
    valid = timedelta(minutes=settings.entry.signal_expiry_minutes)
    return SignalRecord(
        bot=bot,
        pair=candidate.pair,
        side=candidate.side,
        close_ms=epoch_ms(candidate.close_time),
        at_ms=epoch_ms(now),
        status=decision.status.value,
        reasons=decision.reasons,
        score=candidate.score,
        tier=candidate.tier_name,
        price=candidate.price,
        setup=candidate.setup,
        coverage=known(candidate.coverage),
        threshold_shift=candidate.threshold_shift,
        size_factor=candidate.size_factor
        * math.prod(verdict.size_factor for verdict in decision.verdicts),
        market_regime=candidate.regime,
        macro_status=candidate.macro,
        valid_until_ms=epoch_ms(candidate.close_time + valid),
        settings_hash=decision.settings_hash,
        code_version=code_fingerprint(),
        preset=settings.preset,
        verdicts=tuple(asdict(verdict) for verdict in decision.verdicts),
        **_planned(decision),
        **_sized(decision),
        **_seen(evidence),
    )


def later_word(decision: Decision, bot: str, now: datetime) -> SignalWord:
    """Return the record of what has become of a signal since it was judged."""
    candidate = decision.candidate
    return SignalWord(
        bot=bot,
        pair=candidate.pair,
        side=candidate.side,
        close_ms=epoch_ms(candidate.close_time),
        at_ms=epoch_ms(now),
        status=decision.status.value,
        reasons=decision.reasons,
    )


def breaker_records(decision: Decision, bot: str, now: datetime) -> list[BreakerRecord]:
    """Return a record for each breaker that acted on a candidate."""
    candidate = decision.candidate
    return [
        BreakerRecord(
            bot=bot,
            breaker=verdict.breaker,
            action=action,
            reason=verdict.reason,
            at_ms=epoch_ms(now),
            pair=candidate.pair,
            side=candidate.side,
        )
        for verdict in decision.verdicts
        if (action := _action(verdict)) is not None
    ]


def _action(verdict: Verdict) -> str | None:
    if verdict.blocks:
        return "blocked"
    if verdict.size_factor < 1:
        return "size_reduced"
    return "threshold_raised" if verdict.threshold_shift > 0 else None


def _planned(decision: Decision) -> dict[str, Any]:
    plan = decision.plan
    if plan is None:
        return {}
    return {
        "stop": plan.stop,
        "targets": tuple(plan.targets),
        "sl_pct": plan.sl_pct,
        "rr_ratio": plan.gross_rr,
        "cost_r": plan.cost_r,
        "plan": json.loads(plan.to_json()),
    }


def _sized(decision: Decision) -> dict[str, Any]:
    size = decision.size
    if size is None:
        return {}
    return {
        "amount": size.amount,
        "leverage": size.leverage,
        "position_size_pct": size.size_pct,
        "risk_pct": size.risk_pct,
        "risk_quote": size.risk_quote,
        "limited_by": size.limited_by,
    }


def _seen(evidence: Evidence | None) -> dict[str, Any]:
    if evidence is None:
        return {}
    layers = {name: _layer(layer) for name, layer in evidence.layers.items()}
    past = evidence.past
    if past is not None:
        layers["base_rate"] |= {
            "samples": past.samples,
            "mean_r": past.mean_r,
            "setup": past.setup,
        }
    return {"layers": layers, "win_rate_pct": past.win_rate_pct if past else None}


def _layer(layer: LayerEvidence) -> dict[str, Any]:
    return {
        "long": known(layer.long),
        "short": known(layer.short),
        "reliability": known(layer.reliability),
        "reasons": list(layer.reasons),
    }


class JournalLog:
    """Writes every decision into the journal, and remembers the newest in memory.

    Parameters
    ----------
    keep
        Takes the records; never waits.
    bot
        Whose journal it is.
    evidence
        What the layers said of a signal's candle.
    settings
        The settings now in force.
    clock
        The present instant, UTC.
    heard
        Is given what became of signals that were approved.
    """

    def __init__(
        self,
        keep: Keep,
        bot: str,
        evidence: EvidenceOf,
        settings: Callable[[], Settings],
        clock: Callable[[], datetime],
        heard: Callable[[Decision], None],
    ) -> None:
        self._keep, self._bot, self._evidence = keep, bot, evidence
        self._settings, self._clock, self._heard = settings, clock, heard
        self._memory = MemoryLog(_KEPT)

    def record(self, decision: Decision) -> None:
        """Keep a decision, or its later word; what fails here must not undo what was decided."""
        self._memory.record(decision)
        try:
            self._write(decision)
        except Exception:
            logger.exception("%s: the decision is not journalled.", decision.candidate.pair)

    def _write(self, decision: Decision) -> None:
        now = self._clock()
        if decision.status in _LATER:
            self._keep(later_word(decision, self._bot, now))
            self._heard(decision)
            return
        evidence = self._evidence_of(decision)
        self._keep(signal_record(decision, evidence, self._bot, now, self._settings()))
        for record in breaker_records(decision, self._bot, now):
            self._keep(record)

    def _evidence_of(self, decision: Decision) -> Evidence | None:
        """Return what the layers said; a decision is journalled without it rather than not."""
        try:
            return self._evidence(decision.candidate.key)
        except Exception:
            logger.exception("%s: what the layers said is lost.", decision.candidate.pair)
            return None

    def clear(self) -> None:
        """Forget what is in memory; the journal keeps it."""
        self._memory.clear()

    def __iter__(self) -> Iterator[Decision]:
        """Yield the newest decisions, oldest first."""
        return iter(self._memory)

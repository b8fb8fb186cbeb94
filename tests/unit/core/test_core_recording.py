"""What is known of a candle, and the records that the journal makes of a decision."""

import json
import math
from dataclasses import replace
from datetime import timedelta

import pytest

from scalp_strategy.contract import LAYERS, Component
from scalp_strategy.evidence import evidence_at
from scalp_strategy.journal.records import SignalRecord, SignalWord, from_line, to_line
from scalp_strategy.recording import JournalLog, breaker_records, signal_record
from scalp_strategy.risk import TradePlan
from scalp_strategy.settings import Settings
from scalp_strategy.signals import Status, Verdict
from tests.support.decided import Said, decided
from tests.support.host_stub import CANDLE, CLOSE, PAIR

BOT = "scalp-dry-run-futures"
KNOWN = {
    "orderflow_long": 81.0,
    "orderflow_short": 19.0,
    "orderflow_reliability": 0.5,
    "regime": "RISK_ON",
}


def seen(side="long", **columns):
    decision, rooms = decided(side, **columns)
    return evidence_at(rooms.desk.analysed(PAIR), CLOSE, rooms.layers, Settings()), decision


@pytest.mark.parametrize("side", ["long", "short"])
def test_all_layers_are_there_and_the_unknown_is_unknown(side):
    evidence, _ = seen(side, **KNOWN)
    assert tuple(evidence.layers) == LAYERS
    assert evidence.side == side
    assert evidence.has_direction
    assert evidence.layers["orderflow"].score(side) == KNOWN[f"orderflow_{side}"]
    assert evidence.layers["technical"].reasons
    assert math.isnan(evidence.layers["onchain"].long)
    assert (evidence.regime, evidence.macro, evidence.past) == ("RISK_ON", None, None)


def test_a_candle_that_is_not_here_gives_nothing():
    _, rooms = decided()
    analysed = rooms.desk.analysed(PAIR)
    assert evidence_at(analysed, CLOSE + CANDLE, rooms.layers, Settings()) is None


def test_reasons_are_those_of_the_asked_side():
    _, rooms = decided("long")
    analysed = rooms.desk.analysed(PAIR)
    sides = [
        evidence_at(analysed, CLOSE, rooms.layers, Settings(), side) for side in ("long", "short")
    ]
    assert sides[0].layers["technical"].reasons != sides[1].layers["technical"].reasons


def test_an_outside_layer_gives_its_reasons():
    close_ms = round(CLOSE.timestamp() * 1_000)
    component = Component(
        "orderflow",
        "book_imbalance",
        PAIR,
        80.0,
        20.0,
        close_ms - 1_000,
        close_ms - 500,
        "buyers win",
    )
    _, rooms = decided(**KNOWN)
    said = Said((component,))
    evidence = evidence_at(rooms.desk.analysed(PAIR), CLOSE, said, Settings())
    assert any("buyers win" in reason for reason in evidence.layers["orderflow"].reasons)


def test_a_record_holds_the_decision_and_survives_its_line():
    evidence, decision = seen(**KNOWN)
    record = signal_record(decision, evidence, BOT, CLOSE + timedelta(seconds=2), Settings())
    again = from_line(to_line(record))
    assert isinstance(again, SignalRecord)
    assert to_line(again) == to_line(record)
    plan, size = decision.plan, decision.size
    assert (again.pair, again.side, again.status) == (PAIR, "long", "approved")
    assert again.close_ms == round(CLOSE.timestamp() * 1_000)
    assert again.valid_until_ms - again.close_ms == 15 * 60 * 1_000
    assert again.stop == plan.stop
    assert again.targets == plan.targets
    assert (again.amount, again.risk_quote) == (size.amount, size.risk_quote)
    assert TradePlan.from_json(json.dumps(again.plan)) == plan
    assert again.layers["orderflow"]["long"] == 81.0
    assert again.layers["onchain"]["long"] is None
    assert len(again.verdicts) == len(decision.verdicts)
    assert again.settings_hash == decision.settings_hash
    assert again.market_regime == decision.candidate.regime


def test_a_decision_without_plan_or_evidence_is_a_record_too():
    _, decision = seen()
    bare = replace(decision, plan=None, size=None, status=Status.REJECTED)
    record = from_line(to_line(signal_record(bare, None, BOT, CLOSE, Settings())))
    assert (record.plan, record.stop, record.amount, record.layers) == (None, None, None, {})


def test_every_breaker_that_acts_is_recorded():
    _, decision = seen()
    spoken = (
        Verdict("quiet"),
        Verdict("blocks", blocks=True, reason="no"),
        Verdict("halves", size_factor=0.5, reason="less"),
        Verdict("raises", threshold_shift=5.0, reason="more"),
    )
    records = breaker_records(replace(decision, verdicts=spoken), BOT, CLOSE)
    assert [(one.breaker, one.action) for one in records] == [
        ("blocks", "blocked"),
        ("halves", "size_reduced"),
        ("raises", "threshold_raised"),
    ]


def test_the_log_records_a_judgement_once_and_then_words():
    evidence, decision = seen()
    kept, heard = [], []
    log = JournalLog(kept.append, BOT, lambda key: evidence, Settings, lambda: CLOSE, heard.append)
    log.record(decision)
    log.record(replace(decision, status=Status.NOT_TAKEN, reasons=("no slot",)))
    log.record(replace(decision, status=Status.TAKEN))
    signals = [one for one in kept if isinstance(one, SignalRecord)]
    words = [one for one in kept if isinstance(one, SignalWord)]
    assert len(signals) == 1
    assert [(one.status, one.reasons) for one in words] == [
        ("not_taken", ("no slot",)),
        ("taken", ()),
    ]
    assert [one.status for one in log] == [Status.TAKEN]
    assert [one.status for one in heard] == [Status.NOT_TAKEN, Status.TAKEN]


def test_what_fails_in_the_journal_does_not_undo_a_decision():
    """The desk latches one decision after another; none may be lost for a record."""
    _, decision = seen()
    kept = []

    def no_evidence(key):
        raise KeyError("a column is gone")

    log = JournalLog(kept.append, BOT, no_evidence, Settings, lambda: CLOSE, kept.clear)
    log.record(decision)
    (record,) = kept
    assert (record.status, record.layers) == ("approved", {})
    log.record(replace(decision, status=Status.TAKEN))  # `clear` takes no decision: it raises
    assert [one.status for one in log] == [Status.TAKEN]

"""Which events are told in the chat: the large, the recent, not too many, macro panic always."""

from dataclasses import replace

import pytest

from scalp_strategy.events.alerts import AlertDesk
from scalp_strategy.journal.outside import OutsideEvent
from scalp_strategy.setting_groups.journal import AlertSettings
from tests.unit.journal.happenings import AT_MS, change, other, snapshot, whale

HOUR_MS = 3_600_000
MINUTE_MS = 60_000
LARGE = 10_000_000.0


def desk(**settings) -> AlertDesk:
    return AlertDesk(AlertSettings(**settings))


def large(number: int, at_ms: int = AT_MS, **changes) -> OutsideEvent:
    return whale(number, amount_usd=LARGE, observed_at_ms=at_ms, **changes)


@pytest.mark.parametrize(
    ("amount_usd", "is_told"), [(9_999_999.99, False), (LARGE, True), (None, False)]
)
def test_a_transfer_is_told_from_the_size_on(amount_usd, is_told):
    event = whale(1, amount_usd=amount_usd, observed_at_ms=AT_MS)
    assert bool(desk().messages([event], AT_MS)) is is_told
    assert bool(desk(whale_alert_usd=1.0).messages([event], AT_MS)) is (amount_usd is not None)


@pytest.mark.parametrize(("age_ms", "is_told"), [(0, True), (HOUR_MS, True), (HOUR_MS + 1, False)])
def test_what_is_old_is_not_told(age_ms, is_told):
    """A bot that was away finds the whole past; the journal has it, the chat need not."""
    assert bool(desk().messages([large(1)], AT_MS + age_ms)) is is_told
    macro = replace(change(1, "macro", "CALM", "EXTREME"), at_ms=AT_MS)
    assert bool(desk().messages([macro], AT_MS + age_ms)) is is_told


def test_a_transfer_that_became_known_late_is_old_too():
    late = large(1, AT_MS - HOUR_MS - 1)
    assert late.at_ms > AT_MS
    assert desk().messages([late], AT_MS) == []


def test_too_many_are_summed_up_when_there_is_room_again():
    one = desk(whale_alerts_per_hour=2)
    said = one.messages([large(n) for n in range(3)], AT_MS)
    assert len(said) == 2
    assert one.messages([large(4, direction="withdrawal")], AT_MS + 10 * MINUTE_MS) == []
    assert one.messages([], AT_MS + HOUR_MS - 1) == []
    (summary,) = one.messages([], AT_MS + HOUR_MS)
    assert summary == "🐋 2 more large transfers: deposits 1 ($10.0M), withdrawals 1 ($10.0M)"
    assert one.messages([], AT_MS + 3 * HOUR_MS) == []


def test_the_summary_counts_as_one_of_the_hour():
    one = desk(whale_alerts_per_hour=1)
    one.messages([large(1), large(2)], AT_MS)
    now = AT_MS + HOUR_MS
    said = one.messages([large(3, now)], now)
    assert [text.partition(":")[0] for text in said] == ["🐋 1 more large transfers"]
    assert one.messages([], now + HOUR_MS - 1) == []
    assert len(one.messages([], now + HOUR_MS)) == 1


def test_no_hour_has_more_than_its_share_and_every_transfer_is_counted():
    one, sent, told = desk(whale_alerts_per_hour=3), [], 0
    for minute in range(0, 600, 7):
        now = AT_MS + minute * MINUTE_MS
        for text in one.messages([large(minute, now)], now):
            sent.append(now)
            told += int(text.split()[1]) if "more large" in text else 1
    for now in sent:
        assert sum(now - HOUR_MS < other_ms <= now for other_ms in sent) <= 3
    assert told == len(range(0, 600, 7)) - len(one._held)


def test_a_clock_that_is_set_back_does_not_silence():
    one = desk(whale_alerts_per_hour=1)
    assert one.messages([large(1)], AT_MS)
    earlier = AT_MS - 24 * HOUR_MS
    assert one.messages([large(2, earlier)], earlier)


def test_panic_and_its_end_are_told_and_nothing_else_of_states():
    one = desk(whale_alerts_per_hour=1)
    states = ["CALM", "DANGER", "EXTREME", "EXTREME", "DANGER", "CALM", None, "EXTREME", None]
    steps = zip([None, *states], states, strict=False)
    events = [change(n, "macro", old, new) for n, (old, new) in enumerate(steps, 1)]
    said = one.messages(events, AT_MS)
    assert [text.split()[0] for text in said] == ["🚨", "✅", "🚨", "✅"]
    assert "macro: EXTREME" in said[0]  # the sidecar's own words
    quiet = [change(1, "regime", "CHOPPY", "EXTREME"), snapshot(2, macro="EXTREME"), other(3)]
    assert one.messages(quiet, AT_MS) == []

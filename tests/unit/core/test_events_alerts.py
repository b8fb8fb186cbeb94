"""Which events are told in the chat: the large, the recent, not too many, macro panic always."""

from dataclasses import replace
from datetime import timedelta

import pytest

from scalp_strategy.events.alerts import AlertDesk
from scalp_strategy.journal.outside import OutsideEvent
from scalp_strategy.journal.records import MessageRecord
from scalp_strategy.notice import NOTICE_KEY_LENGTH, Notice
from scalp_strategy.setting_groups.journal import AlertSettings
from scalp_strategy.telegram.html import Text
from tests.support.messages import HOSTILE, checked
from tests.unit.journal.happenings import AT_MS, change, other, snapshot, whale

HOUR_MS = 3_600_000
MINUTE_MS = 60_000
LARGE = 10_000_000.0


class Desk(AlertDesk):
    """A desk asked for its texts; keeps the notices, and checks each."""

    def __init__(self, settings: AlertSettings, **options) -> None:
        super().__init__(settings, **options)
        self.told: list[Notice] = []

    def messages(self, events, now_ms: int) -> list[str]:
        found = self.notices(events, now_ms)
        for notice in found:
            checked(Text(notice.html, notice.plain))
            assert len(notice.key) <= NOTICE_KEY_LENGTH
            assert notice.key not in {one.key for one in self.told}
            self.told.append(notice)
        return [notice.plain for notice in found]


def desk(**settings) -> Desk:
    return Desk(AlertSettings(**settings))


def restarted(before: Desk, **settings) -> Desk:
    """A desk after a restart: it knows what the journal has of the messages."""
    one = desk(**settings)
    one.restore(recorded(before.told))
    return one


def recorded(notices) -> list[MessageRecord]:
    return [
        MessageRecord(
            bot="b",
            key=notice.key,
            channel="main",
            kind=notice.kind,
            revision=0,
            at_ms=int(notice.at.timestamp() * 1_000),
            status="sent",
            html=notice.html,
        )
        for notice in notices
    ]


def source(number: int, kind: str, text: str, at_ms: int = AT_MS) -> OutsideEvent:
    return OutsideEvent(number, at_ms, kind, None, text)


def failed(number: int, at_ms: int = AT_MS, name: str = "etherscan") -> OutsideEvent:
    return source(number, "source_failed", f"{name}: HTTP 503: gone", at_ms)


def recovered(number: int, at_ms: int = AT_MS, name: str = "etherscan") -> OutsideEvent:
    return source(number, "source_recovered", f"{name}: works again", at_ms)


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


# ---- notices ----


def test_a_notice_says_when_it_is_no_longer_worth_sending():
    one = desk()
    one.messages([large(1), change(2, "macro", "CALM", "EXTREME")], AT_MS)
    whale_notice, macro = one.told
    assert (whale_notice.kind, macro.kind) == ("whale", "macro")
    assert whale_notice.expires_at == whale_notice.at + timedelta(hours=1)
    assert "<b>" in whale_notice.html


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_events_make_harmless_notices(text):
    labels = dict.fromkeys(("token", "from_label", "to_label", "blockchain", "tx_hash"), text)
    one = desk()
    events = [
        large(1, **labels),
        replace(change(2, "macro", text, "EXTREME"), text=text),
        source(3, "source_failed", text),
        source(4, "source_failed", f"{text}: {text}"),
    ]
    assert len(one.messages(events, AT_MS)) >= 3


# ---- given again ----


def test_what_is_given_again_is_told_once():
    events = [large(1), change(2, "macro", "CALM", "EXTREME"), change(3, "macro", "EXTREME", None)]
    one = desk()
    assert len(one.messages([*events, *events], AT_MS)) == 3
    assert one.messages(events, AT_MS) == []
    assert restarted(one).messages(events, AT_MS) == []


def test_two_amounts_of_one_transaction_are_both_told():
    one = desk()
    assert len(one.messages([large(1), large(1, amount=200.0)], AT_MS)) == 2


def test_what_was_not_told_before_a_kill_is_told_after():
    one = desk()
    one.messages([large(1)], AT_MS)
    said = restarted(one).messages([large(1), large(2)], AT_MS + MINUTE_MS)
    assert len(said) == 1


def test_the_hour_s_share_is_kept_over_a_restart():
    one = desk(whale_alerts_per_hour=2)
    one.messages([large(1), large(2), large(3)], AT_MS)
    again = restarted(one, whale_alerts_per_hour=2)
    assert again.messages([large(1), large(2), large(3), large(4)], AT_MS + MINUTE_MS) == []
    (summary,) = again.messages([], AT_MS + HOUR_MS)
    assert summary.startswith("🐋 2 more")


def test_what_was_summed_up_is_not_told_after_a_restart():
    one = desk(whale_alerts_per_hour=1, max_age_s=7_200)
    one.messages([large(1), large(2), large(3)], AT_MS)
    assert len(one.messages([], AT_MS + HOUR_MS)) == 1
    again = restarted(one, whale_alerts_per_hour=9, max_age_s=7_200)
    events = [large(1), large(2), large(3), large(4)]
    assert len(again.messages(events, AT_MS + HOUR_MS)) == 1  # the fourth


def test_it_forgets_what_is_too_old_to_be_told_anyway():
    one = desk()
    for number in range(200):
        now = AT_MS + number * 10 * MINUTE_MS
        one.messages([large(number, now)], now)
    assert len(one._seen) < 10


# ---- sources ----


def test_a_failure_and_its_end_are_told_once():
    one = desk()
    (text,) = one.messages([failed(1), failed(2)], AT_MS)
    assert text.splitlines()[0] == "⚠️ SOURCE FAILED — etherscan"
    assert text.splitlines()[2] == "Reason: HTTP 503: gone"
    assert one.messages([], AT_MS + MINUTE_MS) == []
    (text,) = one.messages([recovered(3, AT_MS + MINUTE_MS)], AT_MS + MINUTE_MS)
    assert text == "✅ Source etherscan works again"
    assert [notice.kind for notice in one.told] == ["health", "health"]


def test_a_flapping_source_is_told_of_once_an_hour():
    one, told = desk(), []
    for minute in range(240):
        now = AT_MS + minute * MINUTE_MS
        event = (failed if minute % 2 else recovered)(minute + 1, now)
        told += [minute for _ in one.messages([event], now)]
    for minute in told:
        assert len([one_told for one_told in told if minute - 60 < one_told <= minute]) <= 3
    assert 4 <= len(told) // 2 <= 5


def test_a_source_that_fails_again_and_stays_so_is_told_when_the_hour_is_over():
    one = desk()
    one.messages([failed(1)], AT_MS)
    one.messages([recovered(2)], AT_MS + MINUTE_MS)
    assert one.messages([failed(3, AT_MS + 2 * MINUTE_MS)], AT_MS + 2 * MINUTE_MS) == []
    assert one.messages([], AT_MS + HOUR_MS - 1) == []
    (text,) = one.messages([], AT_MS + HOUR_MS)
    assert "SOURCE FAILED" in text


def test_sources_are_told_each_for_itself():
    said = desk().messages([failed(1), failed(2, name="gdelt"), recovered(3)], AT_MS)
    assert [text.splitlines()[0] for text in said] == ["⚠️ SOURCE FAILED — gdelt"]


def test_a_failure_that_is_old_news_is_not_told_nor_is_its_end():
    now = AT_MS + 2 * HOUR_MS
    assert desk().messages([failed(1), recovered(2, now)], now) == []


def test_the_end_of_a_failure_is_told_after_a_restart_and_the_failure_not_again():
    one = desk()
    one.messages([failed(1)], AT_MS)
    again = restarted(one)
    assert again.messages([], AT_MS + MINUTE_MS) == []
    assert again.messages([failed(1)], AT_MS + MINUTE_MS) == []
    assert len(again.messages([recovered(2)], AT_MS + MINUTE_MS)) == 1


def test_health_alerts_can_be_switched_off():
    quiet = Desk(AlertSettings(), health_alerts=False)
    assert quiet.messages([failed(1), large(2)], AT_MS)[0].startswith("🐋")
    assert len(quiet.told) == 1

"""What a start reads back of the events: as they were told, and known by the same keys."""

from datetime import timedelta

import pytest

from scalp_strategy.events.alerts import AlertDesk, whale_key
from scalp_strategy.journal.event_store import EventStore
from scalp_strategy.journal.outside import Cursor, StateChange
from scalp_strategy.setting_groups.journal import AlertSettings
from tests.support.messages import HOSTILE
from tests.unit.journal.happenings import AT, AT_MS, MINUTE_MS, change, other, snapshot, whale

MINUTE = timedelta(minutes=1)


@pytest.fixture
def store(journal) -> EventStore:
    return EventStore(journal)


def test_transfers_come_back_as_they_were_told(store):
    told = [whale(1, amount_usd=2e7), whale(2, amount=None, amount_usd=None), other(3)]
    store.take(Cursor(), told)
    assert store.recent(AT) == told[:2]


def test_changes_come_back_with_what_was_before(store):
    events = [
        change(1, "macro", None, "CALM"),
        change(2, "regime", "CHOPPY", "RISK_ON"),
        change(3, "macro", "CALM", "EXTREME"),
        snapshot(4, macro="EXTREME"),
        change(5, "macro", "EXTREME", None),
    ]
    store.take(Cursor(), events)
    recent = store.recent(AT + 2 * MINUTE)
    assert recent == [events[2], events[4]]
    assert store.recent(AT)[0].content == StateChange(None, "CALM")


def test_only_what_is_recent_comes_back_in_order(store):
    events = [whale(1), whale(2), change(3, "macro", None, "EXTREME"), whale(4)]
    store.take(Cursor(), events)
    assert store.recent(AT + 2 * MINUTE) == events[2:]  # the second was seen 5 s before
    assert store.recent(AT + timedelta(hours=1)) == []


@pytest.mark.parametrize("text", HOSTILE[:7])
def test_what_comes_back_is_known_to_have_been_told(store, text):
    """Also where the journal has cut what others wrote."""
    labels = {"token": text, "blockchain": text * 40, "tx_hash": text, "from_label": text}
    event = whale(1, amount_usd=2e7, **labels)
    store.take(Cursor(), [event])
    (back,) = store.recent(AT)
    assert whale_key(back, back.content) == whale_key(event, event.content)
    desk = AlertDesk(AlertSettings())
    assert len(desk.notices([event], AT_MS + MINUTE_MS)) == 1
    assert desk.notices([back], AT_MS + MINUTE_MS) == []

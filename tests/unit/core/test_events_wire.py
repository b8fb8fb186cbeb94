"""What is understood of an answer with events, and that nothing else comes of one that is not."""

import contextlib
import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalp_strategy.errors import PayloadError
from scalp_strategy.events.wire import CONTENTS, parse_events
from scalp_strategy.journal.outside import SentimentSnapshot, StateChange, WhaleMovement

WHALE = {
    "token": "ETH",
    "amount": 2_000,
    "amount_usd": None,
    "direction": "withdrawal",
    "from_label": "Kraken",
    "to_label": "unknown wallet",
    "blockchain": "ethereum",
    "tx_hash": "0xab",
    "observed_at_ms": 1_772_445_000_000,
}


def row(number=1, kind="whale", data=WHALE, **changes):
    values = {"number": number, "at_ms": 1_772_445_005_000, "kind": kind, "pair": None}
    return values | {"text": "in words", "data": data} | changes


def parsed(*rows):
    return parse_events(json.dumps({"events": list(rows), "last_number": 9}).encode())


def test_each_kind_is_read():
    mood = {"fear_greed": 22, "btc_dominance": 57.2, "social": None, "regime": "CHOPPY"}
    page = parsed(
        row(1),
        row(2, "regime", {"old": None, "new": "CHOPPY"}),
        row(3, "macro", {"old": "CALM", "new": "EXTREME"}),
        row(4, "sentiment", mood),
        row(8, "source_failed", {"source": "fear_greed"}, pair="SOL/USDT"),
    )
    assert page.dropped == 0
    assert [event.number for event in page.events] == [1, 2, 3, 4, 8]
    assert [event.content for event in page.events] == [
        WhaleMovement(**WHALE),
        StateChange(None, "CHOPPY"),
        StateChange("CALM", "EXTREME"),
        SentimentSnapshot(22, 57.2, None, "CHOPPY", None),
        None,
    ]
    assert (page.events[-1].pair, page.events[-1].text) == ("SOL/USDT", "in words")


def test_an_event_that_later_versions_say_more_of_is_read():
    page = parsed(row(data=WHALE | {"fee": 3}, colour="blue"), row(2, "moon_phase", {"x": [1]}))
    assert page.dropped == 0
    assert page.events[0].content == WhaleMovement(**WHALE)


@pytest.mark.parametrize(
    "change",
    [
        {"direction": "sideways"},
        {"direction": None},
        {"token": 7},
        {"amount_usd": -1.0},
        {"amount_usd": 0},
        {"amount_usd": 1e300},
        {"amount_usd": "20e6"},
        {"amount_usd": True},
        {"observed_at_ms": 1.5},
        {"observed_at_ms": -1},
        {"observed_at_ms": 10**18},
        {"tx_hash": None},
    ],
)
def test_an_event_that_is_not_understood_keeps_its_number_only(change):
    """It must be taken, or nothing behind it ever is."""
    page = parsed(row(1, data=WHALE | change), row(2))
    assert [(event.number, event.content is None) for event in page.events] == [
        (1, True),
        (2, False),
    ]
    assert page.dropped == 1


@pytest.mark.parametrize(
    "broken",
    [
        7,
        None,
        [],
        {},
        row(0),
        row(-1),
        row(2**63),
        row(1.0),
        row(True),
        row("1"),
        row(at_ms=10**18),
        row(kind=None),
        row(text=None),
        row(data=[]),
    ],
)
def test_what_is_no_event_is_left_out(broken):
    page = parsed(broken, row(2))
    assert [event.number for event in page.events] == [2]
    assert page.dropped == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html><body>502 Bad Gateway</body></html>",
        b"[]",
        b"{}",
        b'{"events": {}}',
        b'{"events": [NaN]}',
        b'{"events": [1e999]}',
        json.dumps({"events": [row(2), row(1)]}).encode(),
        json.dumps({"events": [row(2), row(2)]}).encode(),
    ],
)
def test_an_answer_that_is_none_is_refused_as_a_whole(body):
    with pytest.raises(PayloadError):
        parse_events(body)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
FIELDS = st.sampled_from([*WHALE, "old", "new", "fear_greed", "btc_dominance", "social"])
EVENTS = st.fixed_dictionaries(
    {
        "number": st.integers(-1, 2**64) | JSON,
        "at_ms": st.integers(0, 2**54) | JSON,
        "kind": st.sampled_from(list(CONTENTS)) | JSON,
        "pair": JSON,
        "text": st.text() | JSON,
        "data": st.dictionaries(FIELDS, JSON) | st.just(WHALE) | JSON,
    }
)


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_of_any_answer_come_events_or_the_one_error(body):
    with contextlib.suppress(PayloadError):
        assert parse_events(body).events == ()


@given(st.lists(EVENTS | JSON, max_size=4))
def test_of_any_events_come_sound_ones_in_order(rows):
    try:
        page = parsed(*rows)
    except PayloadError:
        return
    assert len(page.events) <= len(rows)
    assert all(first.number < second.number for first, second in pairwise(page.events))
    for event in page.events:
        assert 1 <= event.number < 2**63
        assert event.content is None or isinstance(event.content, CONTENTS[event.kind])

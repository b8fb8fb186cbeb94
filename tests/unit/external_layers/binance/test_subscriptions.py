"""Subscriptions of one connection, against a stand-in that knows some streams only."""

import orjson
from hypothesis import given
from hypothesis import strategies as st

from external_layers.binance.subscriptions import Subscriptions

NAMES = [f"coin{number}@aggTrade" for number in range(12)]


def answer_all(subscriptions: Subscriptions, carried: set[str], known: set[str]) -> int:
    """Answer requests like the exchange until none comes; return how many there were."""
    count = 0
    while request := subscriptions.next_request(0.0):
        count += 1
        body = orjson.loads(request.text())
        is_refused = body["method"] == "SUBSCRIBE" and not set(body["params"]) <= known
        if body["method"] == "UNSUBSCRIBE":
            carried.difference_update(body["params"])
        elif not is_refused:
            carried.update(body["params"])
        subscriptions.on_reply(body["id"], is_error=is_refused)
        assert count < 100
    return count


def test_chunks() -> None:
    subscriptions, carried = Subscriptions(5, 10.0), set[str]()
    subscriptions.want(NAMES)
    assert answer_all(subscriptions, carried, set(NAMES)) == 3
    assert carried == set(NAMES)
    assert subscriptions.is_settled


def test_one_bad_name_does_not_keep_the_others_out() -> None:
    subscriptions, carried = Subscriptions(100, 10.0), set[str]()
    subscriptions.want(NAMES)
    answer_all(subscriptions, carried, set(NAMES[1:]))
    assert carried == set(NAMES[1:])
    assert subscriptions.refused == {NAMES[0]}
    assert subscriptions.errors == 4
    assert subscriptions.is_settled
    subscriptions.again(NAMES)
    answer_all(subscriptions, carried, set(NAMES))
    assert carried == set(NAMES)


def test_again_leaves_first() -> None:
    subscriptions, carried = Subscriptions(100, 10.0), set[str]()
    subscriptions.want(NAMES)
    answer_all(subscriptions, carried, set(NAMES))
    subscriptions.again(NAMES[:2])
    assert not subscriptions.is_settled
    leave = subscriptions.next_request(0.0)
    assert leave is not None
    assert (leave.method, set(leave.streams)) == ("UNSUBSCRIBE", set(NAMES[:2]))
    assert subscriptions.next_request(0.0) is None
    subscriptions.on_reply(leave.id, is_error=False)
    join = subscriptions.next_request(0.0)
    assert join is not None
    assert (join.method, join.streams) == ("SUBSCRIBE", leave.streams)


def test_no_reply_in_time_means_again_and_three_times_the_end() -> None:
    subscriptions = Subscriptions(100, 10.0)
    subscriptions.want(NAMES)
    for turn in range(3):
        assert not subscriptions.is_broken
        assert subscriptions.next_request(turn * 11.0) is not None
        subscriptions.expire(turn * 11.0 + 9.0)
        assert subscriptions.timeouts == turn
        subscriptions.expire(turn * 11.0 + 10.5)
    assert subscriptions.is_broken


def test_foreign_replies_are_ignored() -> None:
    subscriptions = Subscriptions(100, 10.0)
    subscriptions.want(NAMES)
    subscriptions.next_request(0.0)
    subscriptions.on_reply(99, is_error=True)
    assert (subscriptions.errors, subscriptions.is_settled) == (0, False)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("want"), st.sets(st.sampled_from(NAMES))),
        st.tuples(st.just("again"), st.sets(st.sampled_from(NAMES))),
        st.tuples(st.sampled_from(["send", "late", "reply"]), st.just(set[str]())),
    ),
    max_size=40,
)


@given(steps, st.sets(st.sampled_from(NAMES)), st.integers(1, 5))
def test_it_always_ends_with_what_is_wanted(
    history: list[tuple[str, set[str]]], known: set[str], chunk: int
) -> None:
    """Requests may be lost with their replies, or done while only the reply is lost."""
    subscriptions, carried, sent, now = Subscriptions(chunk, 10.0), set[str](), [], 0.0
    wanted: set[str] = set()
    for what, names in history:
        if what == "want":
            wanted = names
            subscriptions.want(names)
        elif what == "again":
            subscriptions.again(names)
        elif what == "send" and (request := subscriptions.next_request(now)):
            sent.append(request)
        elif what == "late":
            now += 11.0
            subscriptions.expire(now)
            sent.clear()
        elif what == "reply" and sent:
            request = sent.pop(0)
            is_refused = request.method == "SUBSCRIBE" and not set(request.streams) <= known
            if request.method == "UNSUBSCRIBE":
                carried.difference_update(request.streams)
            elif not is_refused:
                carried.update(request.streams)
            subscriptions.on_reply(request.id, is_error=is_refused)
    subscriptions.expire(now + 11.0)
    answer_all(subscriptions, carried, known)
    assert subscriptions.is_settled
    assert carried == wanted & known

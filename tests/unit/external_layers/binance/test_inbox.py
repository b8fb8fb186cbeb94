"""The queue before the consumer: order, overflow, gaps, a consumer that fails."""

import asyncio
from collections.abc import Callable

from external_layers.binance.inbox import Inbox, stream_of


def frame(number: int, stream: str = "a@depth") -> bytes:
    return b'{"stream":"%s","data":{"u":%d}}' % (stream.encode(), number)


class Log:
    """Keeps frames and gaps in the order in which they came."""

    def __init__(self, fails: Callable[[bytes], bool] = lambda _: False) -> None:
        self.seen: list[bytes | frozenset[str]] = []
        self._fails = fails

    def on_message(self, raw: bytes, _: int) -> None:
        if self._fails(raw):
            raise ValueError("bug")
        self.seen.append(raw)

    def on_gap(self, streams: frozenset[str]) -> None:
        self.seen.append(streams)


async def emptied(inbox: Inbox) -> None:
    while len(inbox):
        await asyncio.sleep(0)


def test_order_and_gaps_in_their_place() -> None:
    async def run() -> Log:
        log = Log()
        inbox = Inbox(5_000, log.on_message, log.on_gap)
        for number in range(1_000):
            inbox.put(frame(number), 0)
        inbox.put_gap(frozenset({"a@depth"}))
        inbox.put(frame(1_000), 0)
        await emptied(inbox)
        return log

    expected = [*map(frame, range(1_000)), frozenset({"a@depth"}), frame(1_000)]
    assert asyncio.run(run()).seen == expected


def test_the_newest_win_and_the_gap_is_told_first() -> None:
    async def run() -> tuple[Log, Inbox]:
        log = Log()
        inbox = Inbox(16, log.on_message, log.on_gap)
        inbox.put_gap(frozenset({"old@depth"}))
        inbox.put(frame(0, "b@depth"), 0)
        inbox.put(b"garbage", 0)
        for number in range(20):
            inbox.put(frame(number), 0)
        await emptied(inbox)
        inbox.put(frame(99), 0)
        await emptied(inbox)
        return log, inbox

    log, inbox = asyncio.run(run())
    lost = frozenset({"old@depth", "b@depth", "a@depth"})
    assert log.seen == [lost, *map(frame, range(4, 20)), frame(99)]
    assert inbox.dropped == {"b@depth": 1, "": 1, "a@depth": 4}
    assert inbox.delivered == 17


def test_a_failing_consumer_is_counted_and_gets_the_next() -> None:
    async def run() -> tuple[Log, Inbox]:
        log = Log(lambda raw: raw == frame(1))
        inbox = Inbox(16, log.on_message, log.on_gap)
        for number in range(3):
            inbox.put(frame(number), 0)
        await emptied(inbox)
        return log, inbox

    log, inbox = asyncio.run(run())
    assert log.seen == [frame(0), frame(2)]
    assert (inbox.consumer_errors, inbox.delivered) == (1, 3)


def test_a_slow_consumer_leaves_the_loop_its_turns() -> None:
    async def run() -> int:
        log = Log()
        inbox = Inbox(10_000, log.on_message, log.on_gap)
        for number in range(10_000):
            inbox.put(frame(number), 0)
        await asyncio.sleep(0)
        return len(log.seen)

    assert 0 < asyncio.run(run()) < 1_000


def test_nothing_after_closing() -> None:
    async def run() -> Log:
        log = Log()
        inbox = Inbox(16, log.on_message, log.on_gap)
        inbox.put(frame(0), 0)
        inbox.close()
        inbox.put(frame(1), 0)
        await asyncio.sleep(0)
        return log

    assert asyncio.run(run()).seen == []


def test_names_of_any_spelling() -> None:
    assert stream_of(frame(1)) == "a@depth"
    assert stream_of('{"stream":"币usdt@depth"}'.encode()) == "币usdt@depth"
    assert stream_of(b'{"stream":"\\u5e01usdt@depth"}') == "币usdt@depth"
    assert stream_of(b'{"data": 1, "stream" : "a@depth"}') == "a@depth"
    assert [stream_of(raw) for raw in (b"", b"[]", b"{", b'{"stream":5}')] == [None] * 4

"""What is recorded of a feed, and when its books are fetched."""

import asyncio
from collections.abc import Collection
from pathlib import Path

from external_layers.history.raw import RawReader, recorded_files
from external_layers.history.recorder import Recorder
from external_layers.history.recording_feed import BookClock, OnMessage, record, recorded_streams
from scalp_strategy.errors import SourceUnavailable
from scalp_strategy.setting_groups.history import RecorderSettings

TRADE = b'{"stream":"btcusdt@aggTrade","data":{}}'
DIFF = b'{"stream":"btcusdt@depth@100ms","data":{}}'


class Feed:
    """A feed that the test speaks through."""

    def __init__(self, on_message: OnMessage) -> None:
        self.say = on_message
        self.wanted: Collection[str] = ()
        self.is_closed = False

    async def set_streams(self, wanted: Collection[str]) -> None:
        self.wanted = wanted

    async def close(self) -> None:
        self.is_closed = True


def test_the_book_is_fetched_once_its_diffs_flow_and_again_after_a_failure(tmp_path: Path) -> None:
    feeds: list[Feed] = []
    asked: list[int] = []

    def feed_to(on_message: OnMessage) -> Feed:
        feeds.append(Feed(on_message))
        return feeds[0]

    async def run() -> None:
        fetched = asyncio.Event()

        async def fetch(symbol: str) -> bytes:
            asked.append(len(asked))
            if len(asked) == 1:
                raise SourceUnavailable("not now")
            fetched.set()
            return b'{"lastUpdateId":5}'

        clock = BookClock(0.0, lambda: 3_000_000)
        with Recorder(tmp_path, "futures", RecorderSettings()) as recorder:
            work = asyncio.create_task(
                record(feed_to, fetch, recorder, ["BTCUSDT"], "futures", clock)
            )
            await asyncio.sleep(0)
            feeds[0].say(TRADE, 1)
            for _ in range(10):
                await asyncio.sleep(0)
            assert asked == []
            feeds[0].say(DIFF, 2)
            await asyncio.wait_for(fetched.wait(), 10.0)
            await asyncio.sleep(0)
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)

    asyncio.run(run())
    assert feeds[0].is_closed
    assert feeds[0].wanted == recorded_streams(["BTCUSDT"], "futures")
    lines = list(RawReader(recorded_files(tmp_path)))
    assert lines[:3] == [
        (1_000_000, TRADE),
        (2_000_000, DIFF),
        (3_000_000, b'{"symbol":"BTCUSDT","lastUpdateId":5}'),
    ]


def test_spot_has_no_futures_streams() -> None:
    spot, futures = (recorded_streams(["BTCUSDT"], kind) for kind in ("spot", "futures"))
    assert futures - spot == {"btcusdt@markPrice@1s", "btcusdt@forceOrder"}

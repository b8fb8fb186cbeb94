"""Silent streams: limits by channel and the steps that follow."""

import pytest

from external_layers.binance.silence import StreamStatus, silence_limit_s
from scalp_strategy.setting_groups.sidecar import FeedSettings


@pytest.mark.parametrize(
    ("stream", "limit"),
    [
        ("btcusdt@depth20@100ms", 30.0), ("btcusdt@markPrice@1s", 30.0),
        ("btcusdt@kline_5m", 30.0), ("btcusdt@aggTrade", 300.0),
        ("btcusdt@forceOrder", None), ("!forceOrder@arr", None),
    ],
)  # fmt: skip
def test_limits(stream: str, limit: float | None) -> None:
    assert silence_limit_s(stream, FeedSettings()) == limit


def steps(status: StreamStatus, seconds: range) -> dict[int, str]:
    return {at: step for at in seconds if (step := status.look(float(at)))}


def test_resubscribe_then_renew_then_ever_more_rarely() -> None:
    status = StreamStatus("a@depth", 30.0, 0.0)
    assert steps(status, range(300)) == {
        31: "resubscribe", 61: "renew", 121: "resubscribe", 241: "resubscribe"
    }  # fmt: skip
    assert (status.is_silent, status.alarms) == (True, 1)


def test_a_message_ends_the_silence() -> None:
    status = StreamStatus("a@depth", 30.0, 0.0)
    assert steps(status, range(40)) == {31: "resubscribe"}
    status.messages, status.is_silent = 1, False
    assert steps(status, range(40, 80)) == {71: "resubscribe"}
    assert status.alarms == 2


def test_a_reconnect_starts_the_wait_anew() -> None:
    status = StreamStatus("a@depth", 30.0, 0.0)
    status.restart(25.0)
    assert steps(status, range(25, 60)) == {56: "resubscribe"}


def test_some_may_be_silent_for_ever() -> None:
    assert steps(StreamStatus("a@forceOrder", None, 0.0), range(0, 100_000, 1_000)) == {}

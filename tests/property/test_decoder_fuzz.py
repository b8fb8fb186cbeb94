"""The decoder takes any bytes and any damage to true frames, and accounts for all of it."""

import json
from math import isfinite
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from external_layers.binance.counters import FeedCounters
from external_layers.binance.decoder import Decoder
from external_layers.binance.messages import DepthSnapshot, Message

NOW = 1_723_161_256_700
LEVELS = {"b": [["100.1", "2"], ["100", "1"]], "a": [["100.2", "3"], ["100.4", "4"]]}
IDS = {"e": "depthUpdate", "E": NOW, "T": NOW, "s": "BTCUSDT", "U": 5, "u": 9, "pu": 4}
OPEN = NOW // 60_000 * 60_000
CANDLE = {"t": OPEN, "T": OPEN + 59_999, "s": "BTCUSDT", "i": "1m", "o": "10", "c": "10"} | {
    "h": "11",
    "l": "9",
    "v": "100",
    "n": 3,
    "x": False,
    "q": "1000",
    "V": "60",
}
ORDER = {"s": "BTCUSDT", "S": "SELL", "q": "1", "p": "99", "ap": "98", "z": "1", "T": NOW}
FRAMES: list[dict[str, Any]] = [
    {"stream": f"btcusdt@{channel}", "data": data}
    for channel, data in (
        ("aggTrade", {"E": NOW, "s": "BTCUSDT", "a": 7, "p": "6.1", "q": "1", "T": NOW, "m": True}),
        ("depth20@100ms", IDS | LEVELS),
        ("depth20@100ms", {"lastUpdateId": 9, "bids": LEVELS["b"], "asks": LEVELS["a"]}),
        ("depth@100ms", IDS | LEVELS),
        ("kline_1m", {"E": NOW, "s": "BTCUSDT", "k": CANDLE}),
        ("markPrice@1s", {"E": NOW, "s": "BTCUSDT", "p": "9", "i": "9", "r": "0.1", "T": NOW}),
        ("forceOrder", {"E": NOW, "o": ORDER}),
    )
]
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["nan", "inf", "-1", "0", "1e999", "", 2**63, 2**64, -1, 0, 10**400]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)


def paths(value: Any, before: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the way to every part of a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    found = []
    for key, part in inner:
        found.append((*before, key))
        if isinstance(part, dict | list):
            found += paths(part, (*before, key))
    return found


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Return a true frame with one part deleted or replaced, then perhaps cut or flipped."""
    frame = json.loads(json.dumps(draw(st.sampled_from(FRAMES))))
    for _ in range(draw(st.integers(0, 2))):
        *way, key = draw(st.sampled_from(paths(frame) or [("stream",)]))
        holder = frame
        for step in way:
            holder = holder[step]
        if draw(st.booleans()):
            holder[key] = draw(json_values)
        elif isinstance(holder, list) or key in holder:
            del holder[key]
    raw = bytearray(json.dumps(frame, separators=(",", ":"), ensure_ascii=False).encode())
    if draw(st.booleans()):
        for _ in range(draw(st.integers(0, 3))):
            raw[draw(st.integers(0, len(raw) - 1))] = draw(st.integers(0, 255))
        raw = raw[: draw(st.integers(0, len(raw)))]
    return bytes(raw)


def assert_fed(kind: Any, frames: list[bytes]) -> None:
    counters = FeedCounters()
    decoder = Decoder(kind, counters)
    passed = 0
    for frame in frames:
        message = decoder.decode(frame, NOW)
        if message is not None:
            passed += 1
            assert_sound(message)
    assert counters.passed == passed
    assert counters.received == len(frames)
    assert counters.received == passed + counters.dropped + counters.control
    for each in counters.channels.values():
        assert each.received == each.passed + each.control + sum(each.dropped.values())


def assert_sound(message: Message) -> None:
    """All floats finite, symbols as the stream said, no crossed book."""
    assert isinstance(message, Message)
    assert message.symbol == "BTCUSDT"
    for name in message.__struct_fields__:
        value = getattr(message, name)
        parts = [part for level in value for part in level] if isinstance(value, list) else [value]
        assert all(isfinite(part) for part in parts if isinstance(part, float))
    if isinstance(message, DepthSnapshot) and message.bids and message.asks:
        assert message.bids[0][0] < message.asks[0][0]


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["spot", "futures"]), st.lists(st.binary(max_size=200), max_size=5))
def test_any_bytes(kind: str, frames: list[bytes]) -> None:
    known = json.dumps(FRAMES[0], separators=(",", ":")).encode()
    assert_fed(kind, [known, *frames, *(known[:38] + each for each in frames)])


@settings(max_examples=600, deadline=None)
@given(st.sampled_from(["spot", "futures"]), st.lists(damaged(), min_size=1, max_size=6))
def test_damaged_frames(kind: str, frames: list[bytes]) -> None:
    known = [json.dumps(each, separators=(",", ":")).encode() for each in FRAMES]
    assert_fed(kind, [*known, *frames])


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(FRAMES), st.sampled_from(["[", '{"a":']), st.integers(500, 20_000))
def test_deep_nesting(frame: dict[str, Any], opening: str, depth: int) -> None:
    closing = {"[": "]", '{"a":': "}"}[opening]
    nested = opening * depth + "1" + closing * depth
    raw = json.dumps(frame, separators=(",", ":"))
    frames = [raw, raw[:-2] + ',"deep":' + nested + "}}", raw.replace('"E":', f'"E":{nested},"E":')]
    assert_fed("futures", [each.encode() for each in frames])

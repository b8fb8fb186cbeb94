"""Speed of the decoder: frames a second on one core, and how long the slowest take.

Run with `pytest tests/benchmarks/test_decoder_benchmark.py -s`. Frames of 20 symbols are drawn from
a seed in the exchange's own writing (about 1,000 bytes a partial book, 170 a trade).
"""

import json
import random
from time import perf_counter
from typing import Any

import pytest

from external_layers.binance.counters import FeedCounters
from external_layers.binance.decoder import Decoder
from external_layers.binance.messages import Message

NOW = 1_723_161_256_700
SYMBOLS = [f"COIN{number}USDT" for number in range(20)]
FRAMES = 30_000


def mixed_frames(trades_per_book: int, seed: int = 5) -> list[bytes]:
    """Return frames with this many trades to each partial book, in random order of symbols."""
    random_numbers = random.Random(seed)
    frames = []
    for number in range(FRAMES):
        symbol = random_numbers.choice(SYMBOLS)
        base = random_numbers.uniform(50_000, 60_000)
        is_book = number % (trades_per_book + 1) == 0
        payload = book(random_numbers, number, base) if is_book else trade(number, base)
        channel = "depth20@100ms" if is_book else "aggTrade"
        frame = {"stream": f"{symbol.lower()}@{channel}", "data": payload | {"s": symbol}}
        frames.append(json.dumps(frame, separators=(",", ":")).encode())
    return frames


def trade(number: int, price: float) -> dict[str, Any]:
    ids = {"a": number, "f": 5_266_583_935, "l": 5_266_583_936}
    amounts = {"p": f"{price:.2f}", "q": f"{price / 1e4:.3f}"}
    return {"e": "aggTrade", "E": NOW, "s": ""} | ids | amounts | {"T": NOW, "m": number % 2 == 0}


def book(random_numbers: random.Random, number: int, price: float) -> dict[str, Any]:
    levels = [
        [[f"{price + sign * step / 10:.2f}", f"{random_numbers.uniform(0.01, 20):.3f}"]]
        for sign in (-1, 1)
        for step in range(1, 21)
    ]
    bids, asks = ([level[0] for level in levels[start : start + 20]] for start in (0, 20))
    ids = {"U": number * 7, "u": number * 7 + 5, "pu": number * 7 - 1}
    return {"e": "depthUpdate", "E": NOW, "T": NOW, "s": ""} | ids | {"b": bids, "a": asks}


def decode_all(frames: list[bytes]) -> tuple[FeedCounters, list[Message | None]]:
    counters = FeedCounters()
    decode = Decoder("futures", counters).decode
    return counters, [decode(frame, NOW) for frame in frames]


def slowest(frames: list[bytes], share: float) -> float:
    """Return the microseconds that all but this share of the frames take at most."""
    decode = Decoder("futures", FeedCounters()).decode
    times = []
    for frame in frames:
        start = perf_counter()
        decode(frame, NOW)
        times.append(perf_counter() - start)
    return sorted(times)[int(len(times) * (1.0 - share)) - 1] * 1e6


@pytest.mark.parametrize("trades_per_book", [2, 1])
def test_trades_and_partial_books(trades_per_book: int, benchmark: Any) -> None:
    frames = mixed_frames(trades_per_book)

    def run() -> FeedCounters:
        counters = FeedCounters()
        decode = Decoder("futures", counters).decode
        for frame in frames:
            decode(frame, NOW)
        return counters

    counters = benchmark.pedantic(run, rounds=10, warmup_rounds=1)
    assert (counters.passed, counters.dropped) == (FRAMES, 0)
    _, messages = decode_all(frames)
    for frame, message in zip(frames[:200], messages, strict=False):
        _assert_same(json.loads(frame)["data"], message)
    per_second = FRAMES / benchmark.stats.stats.min
    p99 = min(slowest(frames, 0.01) for _ in range(3))
    benchmark.extra_info |= {"frames_per_s": round(per_second), "p99_us": round(p99, 1)}
    print(f"\n{trades_per_book} trades a book: {per_second:,.0f} frames/s, p99 {p99:.1f} us")


def _assert_same(data: dict[str, Any], message: Any) -> None:
    assert message.symbol == data["s"]
    if data["e"] == "aggTrade":
        assert (message.price, message.quantity) == (float(data["p"]), float(data["q"]))
    else:
        assert message.bids == [(float(price), float(size)) for price, size in data["b"]]
        assert message.asks == [(float(price), float(size)) for price, size in data["a"]]

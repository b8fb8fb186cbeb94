"""Frames of the exchange's streams, as they come over the wire."""

from typing import Any

import orjson

Levels = list[tuple[float, float]]


def frame(stream: str, data: dict[str, Any]) -> bytes:
    return orjson.dumps({"stream": stream, "data": data})


def trade(
    symbol: str, number: int, at_ms: int, price: float = 100.0, *, quantity: float = 1.0, sell=False
) -> bytes:
    data = {"e": "aggTrade", "E": at_ms, "s": symbol, "a": number, "p": str(price)}
    data |= {"q": str(quantity), "f": number, "l": number, "T": at_ms, "m": sell}
    return frame(f"{symbol.lower()}@aggTrade", data)


def best(symbol: str, number: int, at_ms: int, bids: Levels, asks: Levels) -> bytes:
    data = {"e": "depthUpdate", "E": at_ms, "T": at_ms, "s": symbol, "U": number, "u": number}
    data |= {"pu": number - 1, "b": _texts(bids), "a": _texts(asks)}
    return frame(f"{symbol.lower()}@depth20@100ms", data)


def spot_best(symbol: str, number: int, bids: Levels, asks: Levels) -> bytes:
    data = {"lastUpdateId": number, "bids": _texts(bids), "asks": _texts(asks)}
    return frame(f"{symbol.lower()}@depth20@100ms", data)


def change(symbol: str, number: int, at_ms: int, bids: Levels, asks: Levels) -> bytes:
    """Update `number` of a futures book, which continues `number - 1`."""
    data = {"e": "depthUpdate", "E": at_ms, "T": at_ms, "s": symbol, "U": number, "u": number}
    data |= {"pu": number - 1, "b": _texts(bids), "a": _texts(asks)}
    return frame(f"{symbol.lower()}@depth@100ms", data)


def kline(
    symbol: str, interval: str, open_ms: int, *, closed: bool = True, close: float = 10.6
) -> bytes:
    length = {"1m": 60_000, "5m": 300_000, "15m": 900_000}[interval]
    candle = {"t": open_ms, "T": open_ms + length - 1, "s": symbol, "i": interval, "f": 1, "L": 2}
    candle |= {"o": "10.5", "c": str(close), "h": "11", "l": "10", "v": "100", "n": 3, "x": closed}
    candle |= {"q": "1050", "V": "60", "Q": "630", "B": "0"}
    data = {"e": "kline", "E": open_ms + length, "s": symbol, "k": candle}
    return frame(f"{symbol.lower()}@kline_{interval}", data)


def mark(symbol: str, at_ms: int, rate: float = 0.0001) -> bytes:
    data = {"e": "markPriceUpdate", "E": at_ms, "s": symbol, "p": "100.0", "i": "100.0"}
    data |= {"P": "100.0", "r": f"{rate:.8f}", "T": at_ms + 3_600_000}
    return frame(f"{symbol.lower()}@markPrice@1s", data)


def forced(symbol: str, at_ms: int, quantity: float = 1.0) -> bytes:
    order = {"s": symbol, "S": "SELL", "o": "LIMIT", "f": "IOC", "q": str(quantity), "p": "99.0"}
    order |= {"ap": "99.0", "X": "FILLED", "l": str(quantity), "z": str(quantity), "T": at_ms}
    data = {"e": "forceOrder", "E": at_ms, "o": order}
    return frame(f"{symbol.lower()}@forceOrder", data)


def _texts(levels: Levels) -> list[list[str]]:
    return [[str(price), str(quantity)] for price, quantity in levels]

"""Answers as no documentation shows them: what a proxy, a bug or a bad day makes of them."""

from dataclasses import replace
from typing import Any, Final

import orjson

from external_layers.replay.answer import Answer
from external_layers.replay.outside.script import GarbageRule

PAGE: Final = (
    b"<!DOCTYPE html><html><head><title>Just a moment...</title></head>"
    b"<body><h1>Checking your browser</h1></body></html>"
)
_WRONG: Final[dict[str, Any]] = {}
_BYTES: Final = 1_000_000
_HTML: Final = "text/html"


def spoiled(answer: Answer, rule: GarbageRule) -> Answer:
    """Return an answer as a rule spoils it."""
    if rule.how == "html":
        return replace(answer, body=PAGE, status=200, content_type=_HTML)
    if rule.how == "slow":
        return replace(answer, over_s=rule.seconds)
    return replace(answer, body=spoiled_body(answer.raw, rule))


def spoiled_body(body: bytes, rule: GarbageRule) -> bytes:
    """Return a body, or a message of a stream, as a rule spoils it."""
    if rule.how == "html":
        return PAGE
    if rule.how == "empty":
        return b""
    if rule.how == "truncated":
        return body[: len(body) // 2]
    if rule.how == "wrong_types":
        return _wrong_types(body)
    if rule.how == "huge":
        return body + b" " * max(0, round(rule.mb * _BYTES) - len(body))
    return body


def _wrong_types(body: bytes) -> bytes:
    try:
        return orjson.dumps(_replaced(orjson.loads(body)))
    except orjson.JSONDecodeError:
        return b'{"wrong": {}}'


def _replaced(value: Any) -> Any:
    """Return a JSON value with an empty object for everything that is neither object nor list."""
    if isinstance(value, dict):
        return {name: _replaced(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_replaced(each) for each in value]
    return _WRONG

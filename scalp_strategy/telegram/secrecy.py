"""Keeps the bots' tokens out of every log: libraries put them into addresses and error texts."""

import logging
import threading
import traceback
from collections.abc import Callable
from typing import Any, Final

_HIDDEN: Final = "[hidden]"
_lock: Final = threading.Lock()
_secrets: Final[set[str]] = set()


def hide(secret: str) -> None:
    """Let no log record of this process show a secret from now on; an empty one is none."""
    if not secret:
        return
    with _lock:
        _secrets.add(secret)
        make = logging.getLogRecordFactory()
        if not isinstance(make, _Factory):
            logging.setLogRecordFactory(_Factory(make))


def without_secrets(text: str) -> str:
    """Return a text in which each hidden secret is replaced."""
    for secret in tuple(_secrets):
        text = text.replace(secret, _HIDDEN)
    return text


class _Factory:
    """Makes log records as before, and replaces those that show a secret."""

    def __init__(self, make: Callable[..., logging.LogRecord]) -> None:
        self._make = make

    def __call__(self, *args: Any, **named: Any) -> logging.LogRecord:
        record = self._make(*args, **named)
        said = _said(record)
        safe = without_secrets(said)
        if safe != said:
            record.msg, record.args = safe, ()
            record.exc_info = record.exc_text = None
        return record


def _said(record: logging.LogRecord) -> str:
    try:
        said = record.getMessage()
    except (TypeError, ValueError):
        # What cannot be formatted is shown by logging itself, with all of its parts.
        said = f"{record.msg!r} {record.args!r}"
    if record.exc_info and record.exc_info[1] is not None:
        said += "\n" + "".join(traceback.format_exception(record.exc_info[1])).rstrip()
    return said

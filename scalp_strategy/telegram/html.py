"""Telegram's HTML, line by line (pure): no other file writes a tag.

Every line opens and closes its own tags, so that a message can be split at any line's end. The tags
are b, i and code.
"""

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from scalp_strategy.journal.outside import one_line

LONGEST_PART: Final = 300  # of what others wrote; a message may have 4,096 characters

# Control characters and ends of lines; halves of a character, which no request can carry.
_UNSENDABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_TAGS: Final = re.compile("</?(?:b|i|code)>")
# In the order in which they are undone: the ampersand last.
_ENTITIES: Final = (("<", "&lt;"), (">", "&gt;"), ("&", "&amp;"))


class Text(NamedTuple):
    """One message: for Telegram, and the same without markup for all others."""

    html: str
    plain: str


def escape(text: str) -> str:
    """Return a text as part of a line in which Telegram finds no markup.

    Examples
    --------
    >>> escape("EMA 9 > 21 & <b>up")
    'EMA 9 &gt; 21 &amp; &lt;b&gt;up'
    """
    text = _UNSENDABLE.sub(" ", text)
    for char, entity in reversed(_ENTITIES):
        text = text.replace(char, entity)
    return text


def of_others(text: str, length: int = LONGEST_PART) -> str:
    """Return what others wrote as part of a line: escaped, on one line, not too long.

    Examples
    --------
    >>> of_others("<i>hot</i>  wallet 14", 12)
    '&lt;i&gt;hot&lt;/i&gt; w'
    """
    return escape(one_line(text, length))


def bold(text: str) -> str:
    """Return a text in bold, escaped."""
    return f"<b>{escape(text)}</b>"


def italic(text: str) -> str:
    """Return a text in italics, escaped."""
    return f"<i>{escape(text)}</i>"


def code(text: str) -> str:
    """Return a text that can be copied by a touch, escaped."""
    return f"<code>{escape(text)}</code>"


def to_plain(html: str) -> str:
    """Return a message without its markup; the inverse of what this module does.

    Examples
    --------
    >>> to_plain("<b>LONG</b> 9 &gt; 21 &amp;amp;")
    'LONG 9 > 21 &amp;'
    """
    text = _TAGS.sub("", html)
    for char, entity in _ENTITIES:
        text = text.replace(entity, char)
    return text


def message(lines: Iterable[str]) -> Text:
    """Return the message of lines of HTML."""
    html = "\n".join(lines)
    return Text(html, to_plain(html))

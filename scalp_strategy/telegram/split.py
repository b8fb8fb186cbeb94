"""Messages in parts that Telegram takes (pure)."""

import html as entities
import re
from typing import Final

from telegram.constants import MessageLimit, ParseMode

_MARGIN: Final = 96  # below the limit, for what Telegram may count differently
LONGEST_PART: Final = int(MessageLimit.MAX_TEXT_LENGTH) - _MARGIN

_HTML_TOKEN: Final = re.compile(r"</?[a-zA-Z][^<>]*>|&#?\w+;|.", re.DOTALL)
_HTML_TAG: Final = re.compile(r"<(/?)([a-zA-Z][\w-]*)[^<>]*>")
_FENCE: Final = "```"
_LEGACY_TOKEN: Final = re.compile(r"\\[_*`\[]|```|\[[^\]\n]*\]\([^)\n]*\)|.", re.DOTALL)
_LEGACY_MARKS: Final = frozenset({"*", "_", "`", _FENCE})


def units(text: str) -> int:
    """Return a text's length as Telegram counts it: in UTF-16 code units."""
    return len(text.encode("utf-16-le", errors="replace")) // 2


def sendable(text: str) -> str:
    """Return a text without halves of characters, which no request can carry."""
    return text.encode("utf-8", errors="replace").decode()


def without_markup(text: str, parse_mode: str | None) -> str:
    """Return what can be sent without a parse mode when the markup was refused.

    Legacy Markdown stays as it is: where it is broken, nobody knows which marks are meant.

    Examples
    --------
    >>> without_markup("<b>1</b> &lt; 2", "HTML")
    '1 < 2'
    """
    if parse_mode != ParseMode.HTML:
        return text
    return entities.unescape(_HTML_TAG.sub("", text))


def parts_of(text: str, parse_mode: str | None, limit: int = LONGEST_PART) -> list[str]:
    """Return a message in parts, split at line ends and, where a line is too long, inside it.

    Parameters
    ----------
    text
        HTML, legacy Markdown or plain.
    parse_mode
        Which of them, None for plain.
    limit
        Code units of a part, as shown.

    Returns
    -------
    list[str]
        Each part is as balanced as the whole: markup that is open where it is cut ends there and
        begins again in the next. Parts that show nothing are left out, so it may be empty.
    """
    if units(text) <= limit:
        return [text] if without_markup(text, parse_mode).strip() else []
    cutter = _CUTTERS[parse_mode](limit)
    for number, line in enumerate(text.split("\n")):
        cutter.add(line, "\n" if number else "")
    cutter.end_part()
    return [part for part in cutter.parts if without_markup(part, parse_mode).strip()]


class _Cutter:
    """Fills parts token by token; of a plain text, in which each character is one."""

    token: re.Pattern[str] = re.compile(".", re.DOTALL)

    def __init__(self, limit: int) -> None:
        self.parts: list[str] = []
        self._limit, self._part, self._length = limit, "", 0

    def add(self, line: str, before: str) -> None:
        """Add a line to the part, or to the next one when only that has room for it."""
        tokens: list[str] = self.token.findall(line)
        length = sum(map(self.width, tokens))
        if self._length + len(before) + length > self._limit and self._length:
            self.end_part()
            before = ""
        self._part += before
        self._length += len(before)
        for token in tokens:
            width = self.width(token)
            if self._length + width > self._limit:
                self.end_part()
            self._part += token
            self._length += width
            self.read(token)

    def end_part(self) -> None:
        """End what is open, and begin the next part with it."""
        self.parts.append(self._part + self.closing())
        self._part, self._length = self.opening(), 0

    def width(self, token: str) -> int:
        """Return how much of the limit a token takes."""
        return units(token)

    def read(self, token: str) -> None:
        """Take note of markup that begins or ends."""

    def closing(self) -> str:
        """Return the markup that ends what is open."""
        return ""

    def opening(self) -> str:
        """Return the markup that begins it again."""
        return ""


class _HtmlCutter(_Cutter):
    token = _HTML_TOKEN

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self._open: list[tuple[str, str]] = []

    def width(self, token: str) -> int:
        return units(without_markup(token, ParseMode.HTML))

    def read(self, token: str) -> None:
        tag = _HTML_TAG.fullmatch(token)
        if tag is None:
            return
        if not tag.group(1):
            self._open.append((tag.group(2), token))
        elif self._open and self._open[-1][0] == tag.group(2):
            self._open.pop()

    def closing(self) -> str:
        return "".join(f"</{name}>" for name, _ in reversed(self._open))

    def opening(self) -> str:
        return "".join(token for _, token in self._open)


class _LegacyCutter(_Cutter):
    """Of Telegram's legacy Markdown, which does not nest."""

    token = _LEGACY_TOKEN

    def __init__(self, limit: int) -> None:
        super().__init__(limit - 2 * len(_FENCE))
        self._mark = ""

    def read(self, token: str) -> None:
        if token not in _LEGACY_MARKS:
            return
        if not self._mark:
            self._mark = token
        elif self._mark == token:
            self._mark = ""

    def closing(self) -> str:
        return self._mark

    def opening(self) -> str:
        return self._mark


_CUTTERS: Final[dict[str | None, type[_Cutter]]] = {
    None: _Cutter,
    ParseMode.HTML: _HtmlCutter,
    ParseMode.MARKDOWN: _LegacyCutter,
}

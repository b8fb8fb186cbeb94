"""Texts as Telegram reads them: its HTML and its legacy Markdown, to text and entities."""

import re
from dataclasses import dataclass
from typing import Final

TEXT_LIMIT: Final = 4_096
CAPTION_LIMIT: Final = 1_024
_KINDS: Final = {
    "b": "bold", "strong": "bold", "i": "italic", "em": "italic", "u": "underline",
    "ins": "underline", "s": "strikethrough", "strike": "strikethrough", "del": "strikethrough",
    "code": "code", "pre": "pre", "a": "text_link", "blockquote": "blockquote",
    "tg-spoiler": "spoiler", "span": "spoiler", "tg-emoji": "custom_emoji",
}  # fmt: skip
_NAMED: Final = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}
_MARKUP: Final = re.compile(r"<[^>]*>?|&(?:#\d+;|#x[0-9a-fA-F]+;|[a-z]+;)?|>")
_TAG: Final = re.compile(r"<(/?)([a-z-]+)((?:\s+[a-z-]+(?:=(?:\"[^\"]*\"|'[^']*'))?)*)\s*>")
_HREF: Final = re.compile(r"href=[\"']([^\"']*)[\"']")
_LEGACY: Final = {"*": "bold", "_": "italic", "`": "code", "[": "text_link"}


@dataclass(frozen=True)
class Entity:
    """A stretch of a text with markup; offset and length in UTF-16 code units."""

    kind: str
    offset: int
    length: int
    url: str = ""

    def to_json(self) -> dict[str, object]:
        named: dict[str, object] = {
            "type": self.kind,
            "offset": self.offset,
            "length": self.length,
        }
        return named | ({"url": self.url} if self.url else {})


@dataclass(frozen=True)
class Parsed:
    """What a chat shows of a text."""

    text: str
    entities: tuple[Entity, ...] = ()


class UnparsableText(Exception):
    """Telegram's words for what it cannot read."""


def units(text: str) -> int:
    """Return the length that Telegram counts: UTF-16 code units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def parse(text: str, parse_mode: str | None) -> Parsed:
    """Return what is shown of a text, trimmed as Telegram does."""
    readers = {"": Parsed, "html": _from_html, "markdown": _from_legacy_markdown}
    mode = (parse_mode or "").lower()
    if mode not in readers:
        raise UnparsableText(f"unsupported parse_mode {parse_mode}")
    parsed = readers[mode](text)
    stripped = parsed.text.strip()
    if not stripped:
        return Parsed("")
    first = units(parsed.text[: parsed.text.index(stripped[0])])
    moved = (_within(entity, first, units(stripped)) for entity in parsed.entities)
    return Parsed(stripped, tuple(entity for entity in moved if entity.length > 0))


def _within(entity: Entity, first: int, length: int) -> Entity:
    start = max(0, entity.offset - first)
    end = min(length, entity.offset + entity.length - first)
    return Entity(entity.kind, start, end - start, entity.url)


def _from_html(text: str) -> Parsed:
    shown, entities, opened, at = "", [], [], 0
    for found in _MARKUP.finditer(text):
        shown += text[at : found.start()]
        at = found.end()
        word, offset = found.group(), len(text[: found.start()].encode())
        if word.startswith("&"):
            shown += _character(word, offset)
            continue
        tag = _TAG.fullmatch(word)
        if tag is None or tag.group(2) not in _KINDS:
            raise UnparsableText(f'Unsupported start tag "{word[1:20]}" at byte offset {offset}')
        closing, name, attributes = tag.groups()
        if not closing:
            href = _HREF.search(attributes)
            opened.append((name, units(shown), href.group(1) if href else "", offset))
            continue
        if not opened or opened[-1][0] != name:
            raise UnparsableText(f'Unmatched end tag at byte offset {offset}, found "</{name}>"')
        _, start, url, _ = opened.pop()
        entities.append(Entity(_KINDS[name], start, units(shown) - start, url))
    if opened:
        raise UnparsableText(f'Can\'t find end tag corresponding to start tag "{opened[-1][0]}"')
    return Parsed(shown + text[at:], tuple(sorted(entities, key=lambda one: one.offset)))


def _character(word: str, offset: int) -> str:
    name = word[1:-1]
    if name in _NAMED:
        return _NAMED[name]
    if name.startswith("#"):
        return chr(int(f"0{name[1:]}", 0) if name[1] == "x" else int(name[1:]))
    # Telegram lets a lone ampersand pass; whoever sends one has forgotten to escape a text.
    raise UnparsableText(f"Unescaped ampersand at byte offset {offset}")


def _from_legacy_markdown(text: str) -> Parsed:
    shown, entities, at = "", [], 0
    while at < len(text):
        char = text[at]
        if char == "\\" and text[at + 1 : at + 2] in _LEGACY and at + 1 < len(text):
            shown, at = shown + text[at + 1], at + 2
        elif char in _LEGACY:
            inner, url, kind, at = _legacy_entity(text, at)
            if inner:
                entities.append(Entity(kind, units(shown), units(inner), url))
            shown += inner
        else:
            shown, at = shown + char, at + 1
    return Parsed(shown, tuple(entities))


def _legacy_entity(text: str, begin: int) -> tuple[str, str, str, int]:
    """Return its content, address, kind and where the text goes on."""
    mark, kind = text[begin], _LEGACY[text[begin]]
    if text.startswith("```", begin):
        mark, kind = "```", "pre"
    end_mark = "]" if mark == "[" else mark
    end = text.find(end_mark, begin + len(mark))
    if end < 0:
        offset = len(text[:begin].encode())
        raise UnparsableText(f"Can't find end of the entity starting at byte offset {offset}")
    inner, after, url = text[begin + len(mark) : end], end + len(end_mark), ""
    if mark == "[" and text.startswith("(", after) and ")" in text[after:]:
        close = text.index(")", after)
        url, after = text[after + 1 : close], close + 1
    return inner, url, kind, after

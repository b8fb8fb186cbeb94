"""Which tokens a text names: by name or ticker, whole words, never parts of them. Pure.

Many tickers are words (OP, LINK, ONE, NEAR, ME): such a one counts as a cashtag (``$OP``), as a
pair (``OP/USDT``), or in upper case beside a word of crypto. Names that are words too (Optimism,
Avalanche) need a word of crypto after them. So a token may be missed, and hardly ever one is
invented.
"""

import re
from collections.abc import Collection, Iterator
from functools import cache
from typing import Final

from external_layers.sentiment.token_names import (
    BEFORE,
    COINS,
    EMPHASIS,
    IDIOMS,
    MOVES,
    NAMES,
    NOUNS,
    PLAIN,
    PROPER,
)
from external_layers.tokens import unbundled

_WORD: Final = re.compile(r"[$#@]?\w+(?:[.&'’]\w+)*")
_QUOTES: Final = ("USDT", "USDC", "USD", "PERP", "BTC")
_POSSESSIVE: Final = re.compile(r"['’]s?$")
_JOINTS: Final = frozenset(("and", "or", "vs", "versus", "plus"))
_MOST_CHARACTERS: Final = 4_000


def plain_token(base: str) -> str:
    """Return the token of a base asset: exchanges trade some by the thousand or million.

    Examples
    --------
    >>> [plain_token(base) for base in ("1000PEPE", "1MBABYDOGE", "1INCH", "BTC")]
    ['PEPE', 'BABYDOGE', '1INCH', 'BTC']
    """
    return unbundled(base.upper())


def names_of(token: str) -> tuple[str, ...]:
    """Return what to search for to find a token: its cashtag, then what names nothing else.

    Examples
    --------
    >>> names_of("1000PEPE")
    ('$PEPE', 'PEPE', 'pepe coin', 'pepecoin')
    >>> names_of("OP")
    ('$OP', 'op mainnet', 'optimism network', 'optimism foundation')
    """
    plain = plain_token(token)
    ticker = (plain,) if plain in PLAIN else ()
    return (f"${plain}", *ticker, *NAMES.get(plain, ()))


def tokens_named(text: str, watched: Collection[str] = ()) -> tuple[str, ...]:
    """Return the tokens that a text names, each once, in their order.

    Parameters
    ----------
    text
        A headline or a post; whatever it is, nothing is raised.
    watched
        Base assets that are looked for besides the known ones; as such they are ambiguous tickers.

    Returns
    -------
    tuple of str
        Tickers without the multiple of ``1000PEPE``, as `plain_token`.

    Examples
    --------
    >>> tokens_named("Optimism returns as $OP and Bitcoin Cash (BCH) rally near the top")
    ('OP', 'BCH')
    """
    read = text[:_MOST_CHARACTERS]
    others = {plain_token(base) for base in watched if not base.isdecimal()}
    found = [*_named(read), *_tickers(read, others.union(NAMES))]
    return tuple(dict.fromkeys(token for _, token in sorted(found)))


def _named(text: str) -> Iterator[tuple[int, str]]:
    for match in _names().finditer(text):
        token = _owners().get(match[0].lower())  # none where only case folding made it match
        if token:
            yield match.start(), token


@cache
def _owners() -> dict[str, str]:
    """Return the token of each name, "" for what only looks like one."""
    owners = {name: token for token, names in NAMES.items() for name in names}
    return owners | dict.fromkeys(IDIOMS, "")


@cache
def _names() -> re.Pattern[str]:
    """Return the pattern of all names, the longest first: Bitcoin Cash is not Bitcoin."""
    names = sorted(_owners(), key=len, reverse=True)
    either = "|".join(re.escape(name) for name in names)
    return re.compile(rf"(?<![\w@.])(?:{either})(?!\w|[.]\w)", re.IGNORECASE)


class _Words:
    """The words of a text, for looking at what stands beside one."""

    def __init__(self, text: str, known: Collection[str]) -> None:
        matches = list(_WORD.finditer(text))
        self.words = [unbundled(_POSSESSIVE.sub("", match[0])) for match in matches]
        self.starts = [match.start() for match in matches]
        ends = [match.end() for match in matches]
        self.gaps = [text[end:start] for end, start in zip(ends, self.starts[1:], strict=False)]
        self._known = known

    def at(self, place: int) -> str:
        """Return a word, empty beyond the ends."""
        return self.words[place] if 0 <= place < len(self.words) else ""

    def gap(self, place: int) -> str:
        """Return what stands between a word and the next."""
        return self.gaps[place] if 0 <= place < len(self.gaps) else ""

    def is_shouted(self) -> bool:
        """Tell whether upper case says nothing here: most words but the tickers have it."""
        others = [word for word in self.words if word.isalpha() and word not in self._known]
        return sum(word.isupper() for word in others) * 2 > len(others)


def _tickers(text: str, known: Collection[str]) -> list[tuple[int, str]]:
    words = _Words(text, known)
    found = dict(_proved(words, known))
    if not words.is_shouted():
        found.update(_beside_crypto(words, known))
        _extend_lists(words, known, found)
    return [(words.starts[place], token) for place, token in found.items()]


def _proved(words: _Words, known: Collection[str]) -> Iterator[tuple[int, str]]:
    """Give cashtags, pairs, tickers that are no words, and names with a word of crypto after."""
    for place, word in enumerate(words.words):
        ticker = word.lstrip("#")
        after = words.at(place + 1)
        is_glued = place > 0 and not words.gap(place - 1)  # as in US$OP
        if word.startswith("$") and word[1:].upper() in known and not is_glued:
            yield place, word[1:].upper()
        elif ticker in PLAIN and ticker in known:
            yield place, ticker
        elif word.endswith("USDT") and word[:-4] in known:
            yield place, word[:-4]
        elif word in known and words.gap(place) in ("/", "-") and after in _QUOTES:
            yield place, word
        elif word in PROPER and (after.lower() in NOUNS or after == PROPER[word]):
            yield place, PROPER[word]


def _beside_crypto(words: _Words, known: Collection[str]) -> Iterator[tuple[int, str]]:
    for place, word in enumerate(words.words):
        if word not in known or len(word) == 1 or words.gap(place - 1) == "-":
            continue
        after = words.at(place + 1).lower() if words.gap(place).strip() in ("", ")") else ""
        before = words.at(place - 1).lower() if words.gap(place - 1).strip() in ("", "(") else ""
        if after in COINS or (word not in EMPHASIS and _is_crypto(before, after)):
            yield place, word


def _is_crypto(before: str, after: str) -> bool:
    return after in NOUNS or after in MOVES or before in BEFORE


def _extend_lists(words: _Words, known: Collection[str], found: dict[int, str]) -> None:
    """Add tickers that stand in a list with one that is known to be meant: "SOL, LINK and OP"."""
    for places in (range(len(words.words)), range(len(words.words) - 1, -1, -1)):
        for place in places:
            word = words.words[place]
            if place in found or word not in known or word in EMPHASIS or len(word) == 1:
                continue
            if any(other in found for other in _listed_with(words, place)):
                found[place] = word


def _listed_with(words: _Words, place: int) -> Iterator[int]:
    """Give the places of the neighbours in a list: past a comma, a slash or an "and"."""
    for step in (-1, 1):
        gap = words.gap(place if step > 0 else place - 1).strip()
        neighbour = place + step
        if gap in (",", "/", "&", "+"):
            if words.at(neighbour).lower() in _JOINTS:
                neighbour += step
            yield neighbour
        elif not gap and words.at(neighbour).lower() in _JOINTS:
            yield neighbour + step

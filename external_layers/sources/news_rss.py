"""Headlines of the crypto press, from its RSS feeds and a news search.

Each is scored and searched for tokens by its title alone. Feeds are asked conditionally (an
unchanged one costs nothing), and a story that several of them bring counts once.
"""

import io
import re
from asyncio import to_thread
from calendar import timegm
from collections.abc import Collection, Mapping
from functools import partial
from hashlib import sha256
from html import unescape
from typing import Any, Final

import feedparser

from external_layers.sentiment.names import tokens_named
from external_layers.sentiment.polarity import polarity
from external_layers.sources.facts import MARKET, Fact, Story, Watched
from external_layers.sources.parts import facts_of_parts
from external_layers.sources.reading import ms_of_seconds, part, some, text
from external_layers.sources.spec import CallRate, Client, FetchContext, Provider, SourceSpec
from external_layers.sources.watching import untold
from scalp_strategy.errors import PayloadError

SPEC: Final = SourceSpec(
    name="news_rss",
    provider=Provider(
        name="news_rss",
        url="https://news.google.com",
        rates=(CallRate(10, 60.0), CallRate(2_000, 86_400.0)),
        licence="headlines for personal use, no redistribution; each publisher's own terms",
        docs="https://www.coindesk.com/terms",
        max_mb=2.0,
    ),
    layer="sentiment",
    feeds=("social_sentiment",),
    every_s=300.0,
    timeout_s=40.0,
    calls=5,
    history="none",
    honesty="Feeds hold the last day or two: a backtest knows only what was recorded.",
)
FEEDS: Final[Mapping[str, str]] = {
    "coindesk": "https://www.coindesk.com/arc/outboundfeeds/rss/",
    "cointelegraph": "https://cointelegraph.com/rss",
    "decrypt": "https://decrypt.co/feed",
    "theblock": "https://www.theblock.co/rss.xml",
    "google": "https://news.google.com/rss/search"
    "?q=bitcoin+OR+cryptocurrency+when:1d&hl=en-US&gl=US&ceid=US:en",
}
_DAY_MS: Final = 86_400_000
_NOBODY: Final = "unknown"
_MOST_ENTRIES: Final = 150  # of one feed
_ID_LENGTH: Final = 24
_TAG: Final = re.compile(r"<[^<>]{1,200}>")
_NO_WORD: Final = re.compile(r"\W+")
# What the parser lets out of itself on some broken markup.
_UNREADABLE: Final = (
    ValueError, LookupError, TypeError, AttributeError, ArithmeticError, AssertionError,
    RuntimeError,
)  # fmt: skip


def parse(
    payload: Any, received_ms: int, publisher: str = "", watched: Collection[str] = ()
) -> list[Story]:
    """Return the stories of the last day in a feed.

    A story's time is its own; one that is ahead of ours counts as published when received.

    Parameters
    ----------
    payload
        The feed's bytes, RSS or Atom.
    publisher
        Who publishes it, where a story does not say; empty = whom the feed names.
    watched
        Tokens that are looked for besides the known ones.

    Raises
    ------
    PayloadError
        When it is no feed, or no story of it is readable.
    """
    feed = _feed(payload)
    entries = list(feed.entries)[:_MOST_ENTRIES]
    dated = [
        (min(published_ms, received_ms), title, entry)
        for entry in entries
        if (published_ms := _published(entry)) is not None and (title := _title(entry))
    ]
    some(dated, entries, "news_rss")
    named = text(part(feed, "feed", "title")) or _NOBODY
    return [
        Story(
            id=_identity(title),
            title=title,
            publisher=text(part(entry, "source", "title")) or publisher or named,
            tokens=tokens_named(title, watched),
            polarity=polarity(title),
            observed_at_ms=published_ms,
            available_at_ms=received_ms,
        )
        for published_ms, title, entry in dated
        if published_ms > received_ms - _DAY_MS
    ]


async def fetch(client: Client, context: FetchContext) -> list[Fact]:
    """Return the stories not told before, and that the market's press was looked at.

    Raises
    ------
    PartsMissing
        When some feeds failed: names them, after the others' stories were delivered.
    """

    async def ask(name: str, url: str) -> list[Fact]:
        reply = await client.get(url, is_conditional=True)
        received_ms = reply.received_ms
        looked = Watched("stories", MARKET, SPEC.name, received_ms, received_ms)
        if reply.is_unchanged:
            return [looked]
        # Broken or huge markup takes seconds, which must not hold up the streams.
        stories = await to_thread(parse, reply.body, received_ms, name, context.tokens)
        return [*untold(stories, lambda story: story.id, context.memory), looked]

    return await facts_of_parts(
        context, {name: partial(ask, name, url) for name, url in FEEDS.items()}
    )


def _feed(payload: Any) -> Any:
    if not isinstance(payload, bytes):
        raise PayloadError("news_rss: no bytes")
    try:
        # A stream: the parser would take bare bytes that name a file for that file.
        feed = feedparser.parse(
            io.BytesIO(payload), sanitize_html=False, resolve_relative_uris=False
        )
    except _UNREADABLE as error:
        raise PayloadError(f"news_rss: no feed: {type(error).__name__}") from error
    if not feed.get("version") and not feed.entries:
        raise PayloadError("news_rss: no feed")
    return feed


def _published(entry: dict[str, Any]) -> int | None:
    # Read as a plain dict: the parser's own makes one of the two up from the other.
    parsed = dict.get(entry, "published_parsed") or dict.get(entry, "updated_parsed")
    try:
        return ms_of_seconds(timegm(parsed)) if parsed else None
    except _UNREADABLE:
        return None


def _title(entry: Mapping[str, Any]) -> str:
    """Return a story's title without the publisher that the news search appends."""
    written = entry.get("title")
    title = text(unescape(_TAG.sub(" ", written))) if isinstance(written, str) else ""
    publisher = text(part(entry, "source", "title"))
    return title.removesuffix(f" - {publisher}") if publisher else title


def _identity(title: str) -> str:
    """Return what makes it the same story in another feed."""
    words = _NO_WORD.sub(" ", title.lower()).strip()
    return sha256(words.encode(errors="replace")).hexdigest()[:_ID_LENGTH]

"""The press as RSS, a news search over it, and Reddit: headlines about the market's own coins.

A headline tends to say what the price did in the last hours. Feeds have an ETag and answer 304
while nothing is new. Shapes: RSS 2.0, and https://www.reddit.com/dev/api.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from hashlib import blake2b
from typing import Any, Final
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

import numpy as np

from external_layers.replay.answer import Answer
from external_layers.replay.outside.asked import Asked, Refused, demand, unknown
from external_layers.replay.outside.happenings import Happenings
from external_layers.replay.outside.scene import DAY_MS, HOUR_MS, Scene
from external_layers.replay.outside.script import StoryFact

_PER_HOUR: Final = 6.0
_HOURS_FELT: Final = 6  # whose return a headline tends to follow
_FULL_RETURN: Final = 0.03  # with which nearly all headlines agree
_SAYS_NOTHING: Final = 0.4  # share of headlines
_MOST: Final = 30  # items of a feed
_NAMES: Final = {
    "BTC": "Bitcoin", "ETH": "Ethereum", "SOL": "Solana", "DOGE": "Dogecoin", "ADA": "Cardano",
    "LINK": "Chainlink", "LTC": "Litecoin", "DOT": "Polkadot", "BCH": "Bitcoin Cash",
    "AAVE": "Aave", "UNI": "Uniswap",
}  # fmt: skip
GOOD: Final = (
    "{name} rallies past ${price} as inflows surge",
    "{name} soars above ${price} after ETF approval",
    "Bullish breakout: {name} reclaims ${price}",
    "{name} jumps to ${price} on adoption",
)
BAD: Final = (
    "{name} plunges below ${price} as liquidations mount",
    "{name} tumbles to ${price} after exploit",
    "{name} slumps under ${price} amid lawsuit",
    "Bearish {name} crashes through ${price}",
)
PLAIN: Final = (
    "{name} at ${price}: the numbers of the week",
    "What {name} did at ${price} today",
    "{name} in numbers: ${price} and counting",
    "Podcast: {name}, ${price} and the year so far",
)
# Host and path of each publisher's feed, and the name that the news search gives it.
_FEEDS: Final = {
    "/www.coindesk.com/arc/outboundfeeds/rss/": ("coindesk", "CoinDesk"),
    "/cointelegraph.com/rss": ("cointelegraph", "Cointelegraph"),
    "/decrypt.co/feed": ("decrypt", "Decrypt"),
    "/www.theblock.co/rss.xml": ("theblock", "The Block"),
}
_SEARCH: Final = "/news.google.com/rss/search"
_TITLES: Final = dict(_FEEDS.values())
_LOGIN: Final = "/www.reddit.com/api/v1/access_token"
_LISTING_PREFIX, _LISTING_SUFFIX = "/r/", "/new"
_MOST_POSTS: Final = 100
_XML: Final = "application/rss+xml"
_MS_PER_S: Final = 1_000


@dataclass(frozen=True, slots=True)
class Headline:
    """A story: who brings it and when it came out (wall time)."""

    key: str
    title: str
    publisher: str
    at_ms: int


class Press:
    """The publishers, and those who talk about them."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._stories = Happenings(scene, "stories", _PER_HOUR, self._story)

    def headlines(self) -> list[Headline]:
        """Return the stories of the last day, the newest first."""
        now_ms = self._scene.now_ms
        found = self._stories.between(now_ms - DAY_MS, now_ms + 1)
        for fact, placed in self._scene.script.of(StoryFact, now_ms):
            if placed.at_ms > now_ms - DAY_MS:
                key = f"told:{placed.at_ms}:{placed.number}"
                found.append(Headline(key, fact.title, fact.publisher, placed.at_ms))
        return sorted(found, key=lambda each: -each.at_ms)

    def _story(self, key: str, rng: np.random.Generator, at_ms: int) -> Headline:
        names = list(self._scene.tokens)
        token = names[min(int(rng.exponential(3.0)), len(names) - 1)]
        risen = self._scene.change(token, _HOURS_FELT * HOUR_MS, at_ms)
        is_good = rng.random() < 0.5 + 0.45 * np.tanh(risen / _FULL_RETURN)
        says_nothing = rng.random() < _SAYS_NOTHING or self._scene.script.is_calm
        templates = PLAIN if says_nothing else GOOD if is_good else BAD
        template = templates[int(rng.integers(len(templates)))]
        publisher = list(_TITLES)[int(rng.integers(len(_TITLES)))]
        price = f"{self._scene.price(token, at_ms):,.6g}"
        title = template.format(name=_NAMES.get(token, f"${token}"), price=price)
        return Headline(key, title, publisher, at_ms)

    # ---- RSS ----

    def news_rss(self, asked: Asked) -> Answer:
        """Answer as one of the feeds."""
        if asked.path == _SEARCH:
            return _feed(asked, "Google News", self.headlines()[:_MOST], is_search=True)
        if asked.path not in _FEEDS:
            raise unknown(asked)
        publisher, title = _FEEDS[asked.path]
        own = [each for each in self.headlines() if each.publisher == publisher]
        return _feed(asked, title, own[:_MOST], is_search=False)

    # ---- Reddit ----

    def reddit(self, asked: Asked) -> Answer:
        """Answer as Reddit: the login of an application, and a list of new posts."""
        if asked.path == _LOGIN:
            return self._login(asked)
        if not (asked.path.startswith(_LISTING_PREFIX) and asked.path.endswith(_LISTING_SUFFIX)):
            raise unknown(asked)
        demand(asked.bearer(), {"message": "Unauthorized", "error": 401})
        page = self.headlines()[: asked.whole("limit", 25, _MOST_POSTS)]
        subreddit = asked.path.removeprefix(_LISTING_PREFIX).partition("/")[0].partition("+")[0]
        children = [{"kind": "t3", "data": _post(each, subreddit)} for each in page]
        data = {"after": None, "before": None, "dist": len(children), "children": children}
        return Answer({"kind": "Listing", "data": data})

    def _login(self, asked: Asked) -> Answer:
        scheme = asked.headers.get("authorization", "").partition(" ")[0]
        demand(scheme if scheme == "Basic" else "", {"message": "Unauthorized", "error": 401})
        form = parse_qs(asked.body.decode(errors="replace"))
        if asked.method != "POST" or form.get("grant_type") != ["client_credentials"]:
            raise Refused(400, {"error": "unsupported_grant_type"})
        token = blake2b(b"bearer", digest_size=16).hexdigest()
        return Answer(
            {"access_token": token, "token_type": "bearer", "expires_in": 86_400, "scope": "*"}
        )


def _feed(asked: Asked, title: str, found: list[Headline], *, is_search: bool) -> Answer:
    keys = " ".join(each.key for each in found)
    etag = f'"{blake2b(f"{title} {keys}".encode(), digest_size=12).hexdigest()}"'
    if asked.headers.get("if-none-match") == etag:
        return Answer(b"", 304, {"ETag": etag}, content_type=_XML)
    items = "".join(_item(each, is_search=is_search) for each in found)
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<rss version="2.0"><channel>'
        f"<title>{escape(title)}</title><link>https://example.invalid</link>{items}</channel></rss>"
    )
    return Answer(text.encode(), 200, {"ETag": etag}, content_type=_XML)


def _item(headline: Headline, *, is_search: bool) -> str:
    when = format_datetime(datetime.fromtimestamp(headline.at_ms // _MS_PER_S, UTC))
    name = _TITLES[headline.publisher]
    title = f"{headline.title} - {name}" if is_search else headline.title
    source = f'<source url="https://example.invalid">{escape(name)}</source>' if is_search else ""
    return (
        f"<item><title>{escape(title)}</title><guid>{escape(headline.key)}</guid>"
        f"<pubDate>{when}</pubDate>{source}</item>"
    )


def _post(headline: Headline, subreddit: str) -> dict[str, Any]:
    name = blake2b(headline.key.encode(), digest_size=4).hexdigest()
    return {
        "name": f"t3_{name}",
        "id": name,
        "title": headline.title,
        "subreddit": subreddit,
        "created_utc": headline.at_ms / _MS_PER_S,
        "selftext": "",
        "author": "somebody",
        "score": 12,
        "num_comments": 3,
        "permalink": f"/r/{subreddit}/comments/{name}/",
    }

"""Reddit: titles of new posts about crypto.

The shapes are those of https://www.reddit.com/dev/api (`/r/.../new`) and of its application-only
OAuth. Of a post its title is read and its identity kept: neither its text nor its author.
"""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Final

from external_layers.sentiment.names import tokens_named
from external_layers.sentiment.polarity import polarity
from external_layers.sources.facts import MARKET, Fact, Story, Watched
from external_layers.sources.reading import (
    mapping,
    ms_of_seconds,
    part,
    past_ms,
    rows,
    some,
    text,
)
from external_layers.sources.spec import CallRate, Client, FetchContext, Provider, SourceSpec
from external_layers.sources.watching import untold
from scalp_strategy.errors import PayloadError

ID_KEY: Final = "REDDIT_CLIENT_ID"
SECRET_KEY: Final = "REDDIT_CLIENT_SECRET"  # noqa: S105 - the name of a variable
SPEC: Final = SourceSpec(
    name="reddit",
    provider=Provider(
        name="reddit",
        url="https://oauth.reddit.com",
        rates=(CallRate(30, 60.0),),
        licence="free for personal use within its Data API terms; posts may not be passed on",
        docs="https://support.reddithelp.com/hc/en-us/articles/16160319875092",
    ),
    layer="sentiment",
    feeds=("social_sentiment",),
    every_s=300.0,
    history="none",
    honesty="Nobody may keep deleted posts, so the past cannot be had as it was read.",
    keys=(ID_KEY, SECRET_KEY),
    needs_key=True,
    calls=2,
)

_LOGIN_URL: Final = "https://www.reddit.com/api/v1/access_token"
_NEW_PATH: Final = "/r/CryptoCurrency+Bitcoin+ethereum+CryptoMarkets+solana/new"
_PAGE: Final = 100
_AGENT: Final = "linux:scalp-layers:v1 (application-only reader of titles)"
_TITLE_LENGTH: Final = 300
_BEARER_LENGTH: Final = 4_000


def parse(payload: Any, received_ms: int, tokens: tuple[str, ...] = ()) -> list[Story]:
    """Return the posts of a listing; `tokens` are looked for besides the known ones.

    Raises
    ------
    PayloadError
        When it is no such answer, or no post of it is readable.
    """
    listing = part(mapping(payload, SPEC.name), "data", "children")
    posts = rows(listing, SPEC.name)
    stories = [story for post in posts if (story := _story(post.get("data"), received_ms, tokens))]
    some(stories, posts, SPEC.name)
    return stories


def parse_login(payload: Any) -> str:
    """Return the bearer token of a login's answer.

    Raises
    ------
    PayloadError
        When there is none; the message shows nothing of the answer.
    """
    bearer = text(part(payload, "access_token"), _BEARER_LENGTH)
    if not bearer:
        raise PayloadError(f"{SPEC.name}: the login's answer holds no token")
    return bearer


async def fetch(client: Client, context: FetchContext) -> list[Fact]:
    """Return the posts that were not told before, and until when everything was read.

    It logs in each time: a bearer token is a secret, and what is remembered lies in a file.
    """
    headers = {"Authorization": f"Basic {_basic(context.keys)}", "User-Agent": _AGENT}
    login = await client.post(_LOGIN_URL, None, headers, form={"grant_type": "client_credentials"})
    headers["Authorization"] = f"Bearer {parse_login(login.json())}"
    reply = await client.get(_NEW_PATH, {"limit": _PAGE, "raw_json": 1}, headers)
    stories = parse(reply.json(), reply.received_ms, context.tokens)
    seen = Watched("stories", MARKET, SPEC.name, reply.received_ms, reply.received_ms)
    return [*untold(stories, lambda story: story.id, context.memory), seen]


def _basic(keys: Mapping[str, str]) -> str:
    return b64encode(f"{keys[ID_KEY]}:{keys[SECRET_KEY]}".encode()).decode()


def _story(post: Any, received_ms: int, tokens: tuple[str, ...]) -> Story | None:
    name, title = text(part(post, "name")), text(part(post, "title"), _TITLE_LENGTH)
    observed_ms = past_ms(ms_of_seconds(part(post, "created_utc")), received_ms)
    if not (name and title) or observed_ms is None:
        return None
    return Story(
        id=f"{SPEC.name}:{name}",
        title=title,
        publisher=f"reddit r/{text(part(post, 'subreddit')) or 'unknown'}",
        tokens=tokens_named(title, tokens),
        polarity=polarity(title),
        observed_at_ms=observed_ms,
        available_at_ms=received_ms,
    )

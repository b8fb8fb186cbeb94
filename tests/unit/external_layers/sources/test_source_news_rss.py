"""Headlines: their times, what they are about, and feeds that fail apart."""

import asyncio
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from external_layers.sources.facts import MARKET, Story, Watched
from external_layers.sources.news_rss import FEEDS, fetch, parse
from external_layers.sources.parts import PartsMissing
from scalp_strategy.errors import PayloadError, SourceUnavailable
from tests.support.asked import NOW_MS, Answer, Told, context_of

HOUR_MS = 3_600_000


def item(title: str, age_ms: int = HOUR_MS, extra: str = "") -> str:
    moment = datetime.fromtimestamp((NOW_MS - age_ms) / 1_000, UTC)
    return f"<item><title>{title}</title><pubDate>{format_datetime(moment)}</pubDate>{extra}</item>"


def feed(*items: str) -> bytes:
    return (
        '<?xml version="1.0"?><rss version="2.0"><channel><title>The Daily Coin</title>'
        f"{''.join(items)}</channel></rss>"
    ).encode()


class Press:
    """A client that answers by address; an exception is raised, None is "unchanged"."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self.answers = answers
        self.conditional: list[bool] = []

    async def get(
        self, path: str, params: Any = None, headers: Any = None, *, is_conditional: bool = False
    ) -> Answer:
        self.conditional.append(is_conditional)
        answer = next(one for name, one in self.answers.items() if FEEDS[name] == path)
        if isinstance(answer, Exception):
            raise answer
        return Answer(answer or b"", NOW_MS, is_unchanged=answer is None)


def told(answers: Mapping[str, Any], context: Told) -> tuple[list[Any], list[Any]]:
    facts = asyncio.run(fetch(Press(answers), context))
    stories = [one for one in facts if isinstance(one, Story)]
    return stories, [one for one in facts if isinstance(one, Watched)]


def test_a_story() -> None:
    (found,) = parse(feed(item("Solana plunges after exploit")), NOW_MS, "coindesk")
    assert (found.title, found.publisher) == ("Solana plunges after exploit", "coindesk")
    assert found.tokens == ("SOL",)
    assert found.polarity < -0.5
    assert (found.observed_at_ms, found.available_at_ms) == (NOW_MS - HOUR_MS, NOW_MS)


def test_a_time_ahead_is_cut_and_an_old_story_is_none() -> None:
    stories = parse(feed(item("Ahead", -HOUR_MS), item("Old", 25 * HOUR_MS)), NOW_MS)
    assert [(one.title, one.observed_at_ms) for one in stories] == [("Ahead", NOW_MS)]


def test_the_news_search_names_the_publisher() -> None:
    source = '<source url="https://r.example">Reuters</source>'
    (found,) = parse(feed(item("SEC sues exchange - Reuters", extra=source)), NOW_MS, "google")
    assert (found.title, found.publisher) == ("SEC sues exchange", "Reuters")
    assert parse(feed(item("SEC sues exchange")), NOW_MS)[0].publisher == "The Daily Coin"


def test_the_same_headline_is_the_same_story_whoever_brings_it() -> None:
    source = '<source url="https://r.example">Reuters</source>'
    one = parse(feed(item("ETF approved: What now? - Reuters", extra=source)), NOW_MS)
    other = parse(feed(item("ETF Approved \N{EN DASH} what now")), NOW_MS)
    assert one[0].id == other[0].id
    assert one[0].id != parse(feed(item("ETF denied")), NOW_MS)[0].id


def test_atom_entities_and_watched_tokens() -> None:
    atom = (
        '<feed xmlns="http://www.w3.org/2005/Atom"><title>A</title><entry><title type="html">'
        "XYZ token &amp;amp; friends</title><updated>2026-05-28T19:26:40Z</updated></entry></feed>"
    )
    (found,) = parse(atom.encode(), NOW_MS, "", ("XYZ",))
    assert (found.title, found.tokens) == ("XYZ token & friends", ("XYZ",))


def test_a_story_without_time_or_title_harms_no_other() -> None:
    bad = ("<item><title>No time</title></item>", item(""), "<item/>")
    assert [one.title for one in parse(feed(*bad, item("Good")), NOW_MS)] == ["Good"]
    with pytest.raises(PayloadError, match="news_rss"):
        parse(feed(*bad), NOW_MS)


def test_an_empty_feed() -> None:
    assert parse(feed(), NOW_MS) == []


@pytest.mark.parametrize(
    "payload",
    [b"", b"<html><body>Just a moment...</body></html>", b'{"error": 1}', b"\xff\xfe\x00", "text",
     None, [], b"<rss"],
)  # fmt: skip
def test_what_is_no_feed(payload: Any) -> None:
    with pytest.raises(PayloadError, match="news_rss"):
        parse(payload, NOW_MS)


def test_a_body_that_names_a_file_is_no_feed(tmp_path: Path) -> None:
    path = tmp_path / "feed.xml"
    path.write_bytes(feed(item("A secret of this machine")))
    with pytest.raises(PayloadError):
        parse(str(path).encode(), NOW_MS)


def test_stories_are_told_once_and_the_looking_each_time() -> None:
    answers = {name: feed(item("Bitcoin soars")) for name in FEEDS}
    answers["google"] = feed(item("Bitcoin soars"), item("Ether sinks"))
    context = context_of({})
    stories, looked = told(answers, context)
    assert sorted(one.title for one in stories) == ["Bitcoin soars", "Ether sinks"]
    assert set(looked) == {Watched("stories", MARKET, "news_rss", NOW_MS, NOW_MS)}
    assert told(answers, context)[0] == []
    stories, looked = told(dict.fromkeys(FEEDS), context)
    assert stories == []
    assert looked


def test_feeds_are_asked_conditionally() -> None:
    press = Press(dict.fromkeys(FEEDS))
    asyncio.run(fetch(press, context_of({})))
    assert press.conditional == [True] * len(FEEDS)


def test_a_feed_that_fails_does_not_lose_the_others() -> None:
    answers: dict[str, Any] = {name: feed(item(f"News of {name}")) for name in FEEDS}
    answers["decrypt"] = SourceUnavailable("decrypt is down")
    answers["theblock"] = b"<html>Just a moment</html>"
    context = context_of({})
    with pytest.raises(PartsMissing, match="without decrypt, theblock: decrypt is down"):
        told(answers, context)
    titles = {one.title for one in context.delivered if isinstance(one, Story)}
    assert titles == {"News of coindesk", "News of cointelegraph", "News of google"}
    assert any(isinstance(one, Watched) for one in context.delivered)


def test_when_all_fail_nobody_has_looked() -> None:
    context = context_of({})
    with pytest.raises(SourceUnavailable):
        told({name: SourceUnavailable("down") for name in FEEDS}, context)
    assert context.delivered == []


def test_feeds_are_read_beside_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken markup of two megabytes takes seconds; the streams must go on meanwhile."""
    threads = set()

    def tone(_title: str) -> float:
        threads.add(threading.current_thread())
        return 0.0

    monkeypatch.setattr("external_layers.sources.news_rss.polarity", tone)
    stories, _ = told(dict.fromkeys(FEEDS, feed(item("Bitcoin rises"))), context_of({}))
    assert stories
    assert threading.main_thread() not in threads

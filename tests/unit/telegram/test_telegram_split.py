import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scalp_strategy.telegram.html import bold, code, escape, italic
from scalp_strategy.telegram.split import (
    LONGEST_PART,
    parts_of,
    sendable,
    units,
    without_markup,
)
from tests.support.bot_api_markup import TEXT_LIMIT, UnparsableText, parse

ANY_CHAR = st.characters(exclude_categories=())
WRITTEN = st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=60)
LINE = st.lists(
    st.one_of(*(WRITTEN.map(make) for make in (bold, italic, code, escape))), max_size=5
)
MESSAGE = st.lists(LINE.map("".join), max_size=30).map("\n".join)
LIMIT = 40


def squeezed(text):
    return re.sub(r"\s", "", text)


def test_a_message_that_fits_stays_as_it_is():
    for parse_mode in ("HTML", "Markdown", None):
        assert parts_of("x" * LONGEST_PART, parse_mode) == ["x" * LONGEST_PART]


def test_a_long_message_is_split_at_line_ends():
    lines = [f"<b>{number}</b> " + "x" * 90 for number in range(100)]
    parts = parts_of("\n".join(lines), "HTML")
    assert len(parts) == 3
    assert "\n".join(parts).split("\n") == lines


@given(MESSAGE)
def test_every_part_is_short_balanced_and_nothing_is_lost(html):
    parts = parts_of(html, "HTML", LIMIT)
    shown = [parse(part, "HTML").text for part in parts]
    assert all(0 < units(text) <= LIMIT for text in shown)
    assert squeezed("".join(shown)) == squeezed(parse(html, "HTML").text)


@given(MESSAGE)
def test_bold_stays_bold_over_a_cut(html):
    html = f"<b>{html.replace('<', '&lt;').replace('>', '&gt;')}</b>"
    for part in parts_of(html, "HTML", LIMIT):
        assert part.startswith("<b>")
        assert part.endswith("</b>")
        parse(part, "HTML")


def test_a_table_over_many_lines_is_a_table_in_each_part():
    table = "<pre>" + "\n".join("x" * 50 for _ in range(200)) + "</pre>"
    parts = parts_of(table, "HTML")
    assert len(parts) == 3
    assert all(parse(part, "HTML").entities[0].kind == "pre" for part in parts)


def test_a_tag_with_an_address_is_opened_again_with_it():
    parts = parts_of('<a href="http://x/?a=1&amp;b=2">' + "y" * 100 + "</a>", "HTML", 60)
    assert len(parts) == 2
    assert all(parse(part, "HTML").entities[0].url for part in parts)


@given(st.text(alphabet=ANY_CHAR, max_size=400))
def test_plain_text_is_cut_between_characters(text):
    text = sendable(text)
    parts = parts_of(text, None, LIMIT)
    assert all(units(part) <= LIMIT for part in parts)
    assert squeezed("".join(parts)) == squeezed(text)
    for part in parts:
        part.encode()


def test_a_line_of_whales_is_counted_as_telegram_counts():
    parts = parts_of("🐋" * 5_000, "HTML")
    assert "".join(parts) == "🐋" * 5_000
    assert all(units(part) <= TEXT_LIMIT for part in parts)


@pytest.mark.parametrize("mark", ["*", "_", "`", "```"])
def test_legacy_marks_are_closed_and_opened_again(mark):
    text = mark + "\n".join("x" * 30 for _ in range(20)) + mark
    parts = parts_of(text, "Markdown", 100)
    assert len(parts) > 1
    for part in parts:
        assert len(parse(part, "Markdown").entities) == 1
        assert units(part) <= 100


def test_a_legacy_link_is_not_cut():
    text = "\n".join(["x" * 50, "[name](http://x/" + "y" * 20 + ")"])
    assert parts_of(text, "Markdown", 70)[-1].startswith("[name](")


@given(st.text(alphabet="*_`[]()\\ab \n", max_size=200))
@example("`" * 90)
def test_legacy_parts_are_as_balanced_as_the_whole(text):
    try:
        parse(text, "Markdown")
    except UnparsableText:
        return
    parts = parts_of(text, "Markdown", LIMIT)
    assert all(units(part) <= LIMIT for part in parts)
    for part in parts:
        parse(part, "Markdown")


def test_a_message_that_shows_nothing_has_no_parts():
    for text in ("", " \n ", "<b> </b>"):
        assert parts_of(text, "HTML") == []
    assert parts_of("a" + "\n" * 5_000 + "b", "HTML") == ["a" + "\n" * 3_999, "\n" * 1_000 + "b"]


@given(WRITTEN)
def test_what_is_left_without_markup_is_what_was_written(text):
    assert without_markup(f"<pre>{escape(text)}</pre>", "HTML") == without_markup(
        escape(text), "HTML"
    )
    assert without_markup(text, "Markdown") == text


def test_half_a_character_is_replaced():
    assert sendable("a\ud83db") == "a?b"

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalp_strategy.telegram.html import bold, code, escape, italic, message, of_others, to_plain
from tests.support.messages import HOSTILE, check_line, checked

ANY_TEXT = st.text(alphabet=st.characters(exclude_categories=()), max_size=200)


@given(ANY_TEXT)
def test_a_line_of_anything_is_one_line_without_foreign_markup(text):
    for make in (escape, of_others, bold, italic, code):
        line = make(text)
        assert "\n" not in line
        check_line(line)
        line.encode()


@given(st.text(alphabet=st.characters(exclude_categories=("C", "Zl", "Zp")), max_size=200))
def test_plain_is_what_was_written(text):
    assert to_plain(escape(text)) == text
    assert to_plain(bold(text)) == text


@given(st.lists(st.one_of(ANY_TEXT.map(bold), ANY_TEXT.map(escape), ANY_TEXT.map(of_others))))
def test_the_two_forms_have_the_same_lines(lines):
    text = message(lines)
    assert text.plain.split("\n") == [to_plain(line) for line in lines] or not lines


@pytest.mark.parametrize("text", HOSTILE)
def test_what_others_write_is_short_and_harmless(text):
    line = of_others(text, 50)
    checked(message([line]))
    assert len(to_plain(line)) <= 50


def test_an_entity_that_was_written_stays_written():
    assert to_plain(escape("&lt;b&gt; &amp;amp;")) == "&lt;b&gt; &amp;amp;"


def test_a_text_from_right_to_left_is_not_turned_around():
    assert "\u202e" not in of_others("\u202egnp.exe")

"""Keys are found however they are written, and struck out."""

import json
from base64 import b64encode
from html import escape
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from external_layers.sources.scrub import MASK, SHOWN, Keys, Secrets

KEY = 'Ab"1/+=&é key\\x'
WRITTEN = [
    KEY, KEY.upper(), quote(KEY), quote(KEY, safe=""), quote(KEY, safe="").lower(), quote_plus(KEY),
    json.dumps(KEY), repr(KEY), escape(KEY), b64encode(KEY.encode()).decode(),
    b64encode(f"user-1:{KEY}".encode()).decode(), KEY[:9],
]  # fmt: skip


@pytest.mark.parametrize("written", WRITTEN)
def test_every_way_to_write_a_key_is_found(written: str) -> None:
    secrets = Secrets([KEY, "user-1", ""])
    text = f"at {written}; and {written}."
    assert secrets.is_in(text) is (written != KEY[:9])
    hidden = secrets.hidden(text)
    assert hidden.count(MASK) == 2
    assert hidden.startswith("at ")
    assert written not in hidden
    assert not secrets.is_in(hidden)


@given(st.text(min_size=1, max_size=60), st.text(max_size=40), st.text(max_size=40))
def test_no_key_is_left(key: str, before: str, after: str) -> None:
    hidden = Secrets([key]).hidden(before + key + after)
    assert not any(key in piece for piece in hidden.split(MASK))
    assert MASK in hidden


def test_a_very_short_key_is_struck_out_but_not_taken_for_found() -> None:
    assert Secrets(["demo"]).hidden("the demo key") == "the *** key"
    assert not Secrets(["demo"]).is_in("a demonstration")


def test_without_keys_nothing_is_changed() -> None:
    secrets = Secrets(["", ""])
    assert secrets.hidden("as it\nis") == "as it\nis"
    assert not secrets.is_in("anything")


def test_what_is_shown_is_one_short_printable_line() -> None:
    secrets = Secrets(["abc"])
    assert secrets.shown("a\x1b[31m\r\n  b\u202e c abc") == "a [31m b c ***"
    assert len(secrets.shown("y" * 9_999)) == SHOWN
    assert secrets.sample(b"\xff\x00abc") == "\ufffd ***"


def test_neither_keys_nor_secrets_print_themselves() -> None:
    for each in (Keys({"NAME": KEY}), Secrets([KEY])):
        assert "Ab" not in f"{each} {each!r}"
    assert Keys({"NAME": KEY})["NAME"] == KEY

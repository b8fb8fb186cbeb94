"""The chart of /why: a picture whatever is missing, and none without candles."""

import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from matplotlib import pyplot

from scalp_strategy.settings import Settings
from scalp_strategy.telegram.chart import chart
from scalp_strategy.telegram.facts import Levels
from tests.support.decided import candles, decided
from tests.support.host_stub import PAIR

SETTINGS = Settings()


@pytest.fixture(scope="module")
def frame():
    return decided()[1].desk.analysed(PAIR)._frame


def pixels(png: bytes) -> bytes:
    """Return the picture's data, to tell two pictures apart; checks that they are whole."""
    assert png.startswith(b"\x89PNG")
    data, at = b"", 8
    while at < len(png):
        length = int.from_bytes(png[at : at + 4])
        if png[at + 4 : at + 8] == b"IDAT":
            data += png[at + 8 : at + 8 + length]
        at += length + 12
    return zlib.decompress(data)


def test_levels_far_from_the_candles_are_in_the_picture(frame):
    price = float(frame["close"].iat[-1])
    plain = pixels(chart(PAIR, frame, SETTINGS))
    near = pixels(chart(PAIR, frame, SETTINGS, Levels(price, price * 0.99, (price * 1.01,))))
    far = pixels(chart(PAIR, frame, SETTINGS, Levels(price, price * 0.99, (price * 1.5,))))
    assert len({plain, near, far}) == 3


def test_unknown_levels_are_left_out(frame):
    nan = float("nan")
    plain = pixels(chart(PAIR, frame, SETTINGS))
    assert pixels(chart(PAIR, frame, SETTINGS, Levels(nan, nan, ()))) == plain


def test_candles_alone_make_a_picture():
    assert pixels(chart(PAIR, candles(), SETTINGS))
    assert pixels(chart(PAIR, candles().head(1), SETTINGS))


def test_flat_candles_make_a_picture():
    flat = candles().assign(open=1.0, high=1.0, low=1.0, close=1.0, volume=0.0)
    assert pixels(chart(PAIR, flat, SETTINGS))


def test_without_candles_there_is_no_picture():
    assert chart(PAIR, candles().head(0), SETTINGS) is None
    assert chart(PAIR, candles().assign(close=np.nan), SETTINGS) is None


def test_a_name_is_no_formula(frame):
    assert pixels(chart("$_^{/USDT", frame, SETTINGS))


def test_threads_draw_the_same_and_leave_nothing_behind(frame):
    alone = pixels(chart(PAIR, frame, SETTINGS))
    with ThreadPoolExecutor(4) as threads:
        drawn = list(threads.map(lambda _: chart(PAIR, frame, SETTINGS), range(8)))
    assert {pixels(one) for one in drawn} == {alone}
    assert not pyplot.get_fignums()

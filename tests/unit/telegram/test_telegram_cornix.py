from dataclasses import replace

import pytest

from scalp_strategy.telegram.cornix import Levels, cornix_lines
from scalp_strategy.telegram.signal_format import format_signal
from tests.support.messages import SIGNAL

LEVELS = Levels("150.00", "151.35", ("148.00", "146.60"))


def test_a_short_of_a_perpetual():
    lines = cornix_lines("1000PEPE/USDT:USDT", "short", 3.0, LEVELS)
    assert lines[:3] == ["#1000PEPE/USDT SHORT", "Leverage: 3x", "Entry: 150.00"]
    assert lines[3:] == [
        "Take-Profit Targets:",
        "1) 148.00",
        "2) 146.60",
        "Stop Targets:",
        "1) 151.35",
    ]


def test_spot_has_no_leverage():
    lines = cornix_lines("SOL/USDT", "long", 1.0, LEVELS)
    assert lines[:2] == ["#SOL/USDT LONG", "Spot"]
    assert not any("everage" in line for line in lines)


@pytest.mark.parametrize(
    ("shares", "targets"),
    [((0.4, 0.6, 0.0), ["1) 152.02", "2) 153.37"]), ((0.0, 1.0, 0.0), ["1) 153.37"])],
)
def test_a_target_at_which_nothing_is_closed_is_none(shares, targets):
    text = format_signal(replace(SIGNAL, close_shares=shares, has_cornix=True))
    block = text.split("Take-Profit Targets:\n")[1].split("\nStop Targets:")[0]
    assert block.splitlines() == targets


def test_prices_have_the_ticks_digits():
    small = replace(
        SIGNAL,
        price=0.00001235,
        stop=0.000012239,
        targets=(0.0000124, 0.0000126, 0.0000128),
        price_tick=1e-8,
        has_cornix=True,
    )
    block = format_signal(small).split("\n\n")[-1]
    assert "Entry: 0.00001235" in block
    assert "1) 0.00001240" in block

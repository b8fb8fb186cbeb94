"""The levels of a signal as Cornix reads them: its free-text format (pure).

Its rules: the pair's full name, the words Entry, Take-Profit and Stop, Leverage where there is one,
"spot" where there is none, no emojis. Shares per target are not part of that format.
"""

from collections.abc import Sequence
from typing import NamedTuple

from scalp_strategy.contract import Side


class Levels(NamedTuple):
    """Prices, printed with the digits of the exchange's tick; targets nearest first."""

    entry: str
    stop: str
    targets: Sequence[str]


def cornix_lines(pair: str, side: Side, leverage: float, levels: Levels) -> list[str]:
    """Return the lines, as plain text.

    Parameters
    ----------
    pair
        The host's name; a perpetual's settlement currency is left out.
    side
        Long or short.
    leverage
        As ordered; not told in spot.
    levels
        Only the targets at which something is closed.

    Notes
    -----
    Source: Cornix help centre, "Signal Posting" and "Free Text Trade".
    """
    name, _, settled_in = pair.partition(":")
    return [
        f"#{name} {side.upper()}",
        f"Leverage: {leverage:g}x" if settled_in else "Spot",
        f"Entry: {levels.entry}",
        "Take-Profit Targets:",
        *(f"{number}) {price}" for number, price in enumerate(levels.targets, 1)),
        "Stop Targets:",
        f"1) {levels.stop}",
    ]

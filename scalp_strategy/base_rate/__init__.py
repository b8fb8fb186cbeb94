"""The historical win rate of a setup: how this very setup has ended before, on what was known.

`setups` says what is compared, `outcomes` how each occurrence ended, `rates` what that says at a
candle. A backtest begins with the past that the candles on disk before its range show, as a running
bot does; that one has a `Memory`, kept in a file that no backtest ever reads.
"""

from collections.abc import Mapping

from pandas import DataFrame

from scalp_strategy.base_rate.memory import Memory
from scalp_strategy.base_rate.outcomes import Occurrences, joined, pair_setups
from scalp_strategy.base_rate.rates import (
    NOTHING,
    Past,
    base_rate_columns,
    past_of,
    side_column,
    tally,
)
from scalp_strategy.base_rate.setups import SETUP_LABELS, lookback
from scalp_strategy.settings import Settings

__all__ = [
    "SETUP_LABELS",
    "Memory",
    "Occurrences",
    "base_rates",
    "lookback",
    "remembered_rates",
    "side_column",
]


def base_rates(
    frames: Mapping[str, DataFrame],
    settings: Settings,
    before: Mapping[str, Occurrences] | None = None,
) -> dict[str, DataFrame]:
    """Return the base-rate columns of several pairs, from their candles and what was before them.

    Parameters
    ----------
    frames : mapping of str to DataFrame
        By pair, candles with the columns of `technical_frame`; in any order.
    settings : Settings
        Indicators, plan, ladder and the layer's own.
    before : mapping of str to Occurrences, optional
        By pair, what began before its candles; what both show counts once, as it was found there.

    Returns
    -------
    dict of str to DataFrame
        See `base_rate_columns`. Causal: cut all frames at an instant, and no row before it changes.
    """
    setups = {pair: pair_setups(frames[pair], settings) for pair in sorted(frames)}
    whole = Memory(settings)
    for known in (before or {}, {pair: found.occurrences for pair, found in setups.items()}):
        for pair, occurrences in known.items():
            whole.add(pair, occurrences)
    past = past_of(joined([whole.pairs[pair] for pair in sorted(whole.pairs)]), settings)
    columns = {}
    for pair, frame in frames.items():
        own = whole.pairs.get(pair, joined(()))
        own_past = tally(own, own.group, settings)
        columns[pair] = base_rate_columns(setups[pair], past, own_past, settings, frame.index)
    return columns


def remembered_rates(memory: Memory, pair: str, frame: DataFrame, settings: Settings) -> DataFrame:
    """Remember what a pair's candles show, and return its base-rate columns from all remembered.

    The same columns as those of `base_rates` over as much history, whatever the order of the
    pairs, when each pair was analysed at the candle before.
    """
    setups = pair_setups(frame, settings)
    memory.add(pair, setups.occurrences)
    # Rows of the start-up ask nothing, so a pair listed lately does not make the sums anew.
    asked = setups.candle[lookback(settings) :]
    past, own = Past(NOTHING.known, NOTHING.known), NOTHING.known
    if asked.size:
        first, last = int(asked[0]), int(asked[-1])
        past, own = memory.past(first, last), memory.own(pair, first, last)
    return base_rate_columns(setups, past, own, settings, frame.index)

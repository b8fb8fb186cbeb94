"""Why the technical layer supports a side, in words with their numbers, for one row on demand."""

from collections.abc import Mapping
from typing import Any

from scalp_strategy.contract import Side
from scalp_strategy.settings import Settings
from scalp_strategy.technical.indicators import INDICATORS
from scalp_strategy.technical.indicators.base import NEUTRAL_SCORE


def technical_reasons(
    row: Mapping[str, Any], side: Side, settings: Settings | None = None, count: int = 3
) -> list[str]:
    """Return the strongest reasons for a side, the heaviest contribution first.

    Parameters
    ----------
    row : mapping or Series
        One row of the technical layer, joined with its candle (`close` is read).
    side : {"long", "short"}
        The side to speak for.
    settings : Settings, optional
        Weights and periods; defaults when None.
    count : int
        Most reasons to give.

    Returns
    -------
    list of str
        Ranked by (sub-score - 50) x weight; only indicators that support the side, so it may be
        shorter than `count` or empty.
    """
    technical = (settings or Settings()).technical
    contributions = [
        (
            (row[f"{indicator.name}_{side}"] - NEUTRAL_SCORE)
            * getattr(technical.weights, indicator.name),
            indicator,
        )
        for indicator in INDICATORS
    ]
    supporting = [pair for pair in contributions if pair[0] > 0]
    supporting.sort(key=lambda pair: pair[0], reverse=True)
    return [indicator.reason(row, side, technical) for _, indicator in supporting[:count]]

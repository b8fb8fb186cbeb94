"""Fear & greed: the crowd's mood, taken against it."""

from math import isnan, nan
from typing import Final

from external_layers.anchors import FULL, Curve, directional
from external_layers.evidence import Evidence, unknown
from external_layers.sentiment.inputs import Inputs, Moment
from external_layers.sources.facts import FEAR_GREED
from scalp_strategy.contract import MARKET_WIDE
from scalp_strategy.setting_groups.sentiment import SentimentSettings

# The index's own names, and what they are taken for; nothing is said of the middle.
BANDS: Final = (
    ("Extreme Fear", "contrarian buy"),
    ("Fear", "slight buy"),
    ("Neutral", ""),
    ("Greed", "slight sell"),
    ("Extreme Greed", "contrarian sell"),
)
_FEARS: Final = 2


def band_of(value: float, edges: tuple[float, float, float, float]) -> int:
    """Return the number of a value's band.

    An edge belongs to the fear below it and to the greed around it, as the index itself has it: 25
    is extreme fear, 45 fear, 55 and 75 greed.

    Examples
    --------
    >>> [band_of(value, (25, 45, 55, 75)) for value in (25, 26, 45, 46, 54, 55, 75, 76)]
    [0, 1, 1, 2, 2, 3, 3, 4]
    """
    fears = sum(value > edge for edge in edges[:_FEARS])
    if fears < _FEARS or value < edges[_FEARS]:
        return fears
    return len(edges) if value > edges[-1] else len(edges) - 1


def fear_greed_scores(value: float, settings: SentimentSettings) -> tuple[float, float]:
    """Return support for long and short from the index.

    A long gets 90 at 0 and 75 at 25, 70 above it and 60 at 45, 50 between 45 and 55, 40 from 55 to
    75, 25 above it and 15 at 100: linear within a band, a step from one to the next. A short gets
    the rest of 100.

    Parameters
    ----------
    value
        0..100.
    settings
        `fear_greed_edges`, `fear_greed_scores`.

    Returns
    -------
    tuple of float
        0..100 each; both NaN for NaN.
    """
    if isnan(value):
        return nan, nan
    bounds = (0.0, *settings.fear_greed_edges, FULL)
    band = band_of(value, settings.fear_greed_edges)
    anchors = settings.fear_greed_scores[band]
    first, last = anchors if isinstance(anchors, tuple) else (anchors, anchors)
    return directional(Curve(bounds[band : band + 2], (first, last))(value))


def fear_greed(inputs: Inputs, moment: Moment) -> dict[str, Evidence]:
    """Return what the newest reading says; unknown before the first one."""
    newest = inputs.readings.freshest(FEAR_GREED, lambda history: history.newest(moment.at_ms))
    if newest is None:
        return {MARKET_WIDE: unknown()}
    settings = inputs.settings.sentiment
    name, advice = BANDS[band_of(newest.value, settings.fear_greed_edges)]
    reason = f"Fear & Greed at {newest.value:.0f} ({name}): {advice}" if advice else ""
    scores = fear_greed_scores(newest.value, settings)
    return {MARKET_WIDE: Evidence(*scores, reason, newest.observed_ms)}

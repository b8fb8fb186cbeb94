"""The sentiment layer: mood, talk, the market regime and macro.

`COMPONENTS` is the explicit list, one file each: a new one is a new file and a line here.
"""

from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

from external_layers.evidence import Evidence
from external_layers.sentiment.fear_greed import fear_greed
from external_layers.sentiment.inputs import Inputs, Moment
from external_layers.sentiment.macro_correlation import macro_correlation
from external_layers.sentiment.market_regime import market_regime
from external_layers.sentiment.social_sentiment import social_sentiment

LAYER: Final = "sentiment"

# What is said at a moment: by pair, and of the whole market under "*", which is always there. A
# component that ever speaks of a pair itself speaks of it always: the pair's own row wins over the
# market's, however old it is.
Rule: TypeAlias = Callable[[Inputs, Moment], dict[str, Evidence]]


class SentimentComponent(NamedTuple):
    """One component of the layer: its name in weights, archive and reports, and what it says."""

    name: str
    rule: Rule


COMPONENTS: Final[tuple[SentimentComponent, ...]] = (
    SentimentComponent("fear_greed", fear_greed),
    SentimentComponent("social_sentiment", social_sentiment),
    SentimentComponent("market_regime", market_regime),
    SentimentComponent("macro_correlation", macro_correlation),
)

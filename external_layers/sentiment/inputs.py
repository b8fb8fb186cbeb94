"""What the sentiment components are made of, and the instant at which they are asked."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from external_layers.sentiment.mentions import MentionLog
from external_layers.sentiment.readings import Readings
from external_layers.sentiment.regime_watch import RegimeWatch
from external_layers.sentiment.stories import StoryLog
from external_layers.sentiment.trend import NO_CANDLES, Candles15m
from scalp_strategy.settings import Settings

BTC: Final = "BTC"


class Inputs:
    """Everything that was told, each kind kept by its own part.

    Attributes
    ----------
    readings
        Series of numbers: fear & greed, dominance, capitalisation, the tone of the press, macro.
    mentions, stories
        How often tokens are named, on platforms and in the press.
    regime
        The market regime, with hysteresis.
    """

    __slots__ = ("mentions", "readings", "regime", "settings", "stories")

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.readings = Readings(settings.sentiment.macro_source_order)
        self.mentions = MentionLog(settings.sentiment)
        self.stories = StoryLog(settings.sentiment)
        self.regime = RegimeWatch(settings.sentiment.regime_confirm_s)


class Moment(NamedTuple):
    """An instant, and the market at it.

    Attributes
    ----------
    at_ms
        Epoch milliseconds.
    pairs
        Freqtrade's names of the pairs that are asked for, and their tokens.
    candles
        Closed 15m candles by token.
    """

    at_ms: int
    pairs: Mapping[str, str]
    candles: Mapping[str, Candles15m]

    def candles_of(self, token: str) -> Candles15m:
        """Return the candles of a token, none where there are none."""
        return self.candles.get(token, NO_CANDLES)

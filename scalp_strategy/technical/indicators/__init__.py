"""The explicit list of indicators: adding one is one new file and one line here."""

from typing import Final

from scalp_strategy.technical.indicators.base import Indicator, Scores
from scalp_strategy.technical.indicators.bollinger import Bollinger
from scalp_strategy.technical.indicators.ema_structure import EmaStructure
from scalp_strategy.technical.indicators.macd import Macd
from scalp_strategy.technical.indicators.obv import Obv
from scalp_strategy.technical.indicators.pattern import PatternScore
from scalp_strategy.technical.indicators.rsi import Rsi
from scalp_strategy.technical.indicators.stochrsi import StochRsi
from scalp_strategy.technical.indicators.support_resistance import SupportResistance
from scalp_strategy.technical.indicators.volume import Volume
from scalp_strategy.technical.indicators.vwap import Vwap

INDICATORS: Final[tuple[Indicator, ...]] = (
    Rsi(),
    EmaStructure(),
    Vwap(),
    Macd(),
    Bollinger(),
    Obv(),
    StochRsi(),
    Volume(),
    SupportResistance(),
    PatternScore(),
)

__all__ = ["INDICATORS", "Indicator", "Scores"]

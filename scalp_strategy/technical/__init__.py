"""The technical layer: ten indicators, six patterns and four timeframes of one pair."""

from scalp_strategy.technical.frame import lookback, technical_columns, technical_frame
from scalp_strategy.technical.indicators import INDICATORS
from scalp_strategy.technical.layer import technical_layer
from scalp_strategy.technical.patterns import PATTERNS
from scalp_strategy.technical.reasons import technical_reasons
from scalp_strategy.technical.score import technical_score
from scalp_strategy.technical.setup import SETUP_NAMES, top_setup

__all__ = [
    "INDICATORS",
    "PATTERNS",
    "SETUP_NAMES",
    "lookback",
    "technical_columns",
    "technical_frame",
    "technical_layer",
    "technical_reasons",
    "technical_score",
    "top_setup",
]

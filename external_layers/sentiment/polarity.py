"""How a headline or a post sounds: VADER, with what crypto's words mean. Pure.

The rules (negation, emphasis, "but") are those of C.J. Hutto and E. Gilbert, "VADER: A Parsimonious
Rule-based Model for Sentiment Analysis of Social Media Text", 2014.
"""

import re
from functools import cache
from typing import Any, Final

from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from external_layers.sentiment.polarity_words import NEUTRAL, PHRASES, WORDS

_MOST_CHARACTERS: Final = 4_000  # of one text; what comes after is not read
_STAND_IN: Final = "phrasenumber"


def polarity(text: str) -> float:
    """Return how a text sounds to holders: -1 = bad news, 0 = says nothing, 1 = good news.

    Parameters
    ----------
    text
        A headline or a post; whatever it is, nothing is raised.

    Examples
    --------
    >>> polarity("SEC sues exchange over hack") < -0.5 < 0.5 < polarity("ETF approval sends BTC up")
    True
    >>> polarity("Crypto shares of interest")
    0.0
    """
    read = text[:_MOST_CHARACTERS]
    for number, (pattern, _) in enumerate(_patterns()):
        read = pattern.sub(f" {_STAND_IN}{number} ", read)
    return max(-1.0, min(1.0, float(_analyser().polarity_scores(read)["compound"])))


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], float], ...]:
    return tuple(
        (re.compile(rf"(?<!\w)(?:{pattern})(?!\w)", re.IGNORECASE), score)
        for pattern, score in PHRASES
    )


@cache
def _analyser() -> Any:
    analyser = SentimentIntensityAnalyzer()
    for word in NEUTRAL:
        analyser.lexicon.pop(word, None)
    analyser.lexicon.update(WORDS)
    for number, (_, score) in enumerate(PHRASES):
        analyser.lexicon[f"{_STAND_IN}{number}"] = score
    return analyser

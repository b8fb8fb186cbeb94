"""The state of the sentiment layer: facts in, components out (pure: no clock, no I/O)."""

from bisect import bisect_right, insort
from collections import deque
from collections.abc import Iterable, Mapping
from math import nan
from typing import Any, Final, NamedTuple, Self, TypeGuard

from external_layers.evidence import Evidence
from external_layers.sentiment import COMPONENTS, LAYER
from external_layers.sentiment.fact_json import Told, fact_from_json, fact_to_json
from external_layers.sentiment.inputs import Inputs, Moment
from external_layers.sentiment.macro_correlation import FLAG as MACRO
from external_layers.sentiment.market_regime import FLAG as REGIME
from external_layers.sentiment.trend import HOUR_MS, Candles15m
from external_layers.sources.facts import (
    BTC_DOMINANCE,
    DOLLAR_INDEX,
    DOLLAR_INDEX_NOW,
    FEAR_GREED,
    NEWS_TONE,
    SP500,
    SP500_NOW,
    TOTAL_CAP,
    TREASURY_10Y,
    VIX,
    Fact,
    Mentions,
    Reading,
    Story,
    Watched,
)
from scalp_strategy.contract import MARKET_WIDE, Component
from scalp_strategy.errors import ContractViolation, PayloadError
from scalp_strategy.settings import Settings

VERSION: Final = 1  # of the document that `to_json` gives
# What a document that is something else may raise where it is read.
_BROKEN: Final = (
    AttributeError,
    KeyError,
    OverflowError,
    TypeError,
    ValueError,
    ContractViolation,
)
_MOST_CHANGES: Final = 100
_MS_PER_S: Final = 1_000
_DAY_S: Final = 86_400


class StateChange(NamedTuple):
    """A regime or a macro state gave way to another.

    Attributes
    ----------
    kind
        ``"regime"`` or ``"macro"``.
    old, new
        The states; `old` is empty when it is the first.
    text
        Why, in words.
    at_ms
        When it was noticed.
    """

    kind: str
    old: str
    new: str
    text: str
    at_ms: int


class SentimentState:
    """What mood, talk, regime and macro say.

    Facts may be told ahead: one counts from when it is available. Time never runs back: asked for
    an earlier instant than before, it answers as of the later one.

    Parameters
    ----------
    settings
        The effective settings; `sentiment` and the macro limits of `breakers` are used.
    """

    def __init__(self, settings: Settings) -> None:
        self._inputs = Inputs(settings)
        self._pending: list[Told] = []
        self._at_ms = 0
        self._states: dict[str, str] = {}
        self._changes: deque[StateChange] = deque(maxlen=_MOST_CHANGES)

    def add(self, facts: Iterable[Fact]) -> None:
        """Take facts; those of other layers are left out."""
        for fact in facts:
            if _is_ours(fact):
                insort(self._pending, fact, key=_available)

    def components(
        self, pairs: Mapping[str, str], candles: Mapping[str, Candles15m], at_ms: int
    ) -> list[Component]:
        """Return what every component says at an instant, with what was known by then.

        Parameters
        ----------
        pairs
            Freqtrade's names of the pairs, and their tokens.
        candles
            Closed 15m candles by token, oldest first; BTC's are needed whatever the pairs.
        at_ms
            Now, epoch milliseconds.

        Returns
        -------
        list of Component
            One of each name for the whole market (``"*"``), in the order of the weights, and after
            it those of single pairs: of social sentiment for every pair, of the regime for BTC's.
            `available_at_ms` is `at_ms`; NaN scores where unknown.
        """
        self._settle(at_ms)
        moment = Moment(self._at_ms, pairs, candles)
        found: list[Component] = []
        for each in COMPONENTS:
            for pair, evidence in each.rule(self._inputs, moment).items():
                found.append(evidence.component(LAYER, each.name, pair, self._at_ms))
                if pair == MARKET_WIDE:
                    self._note(evidence)
        return found

    @property
    def at_ms(self) -> int:
        """The last instant asked for, 0 before the first."""
        return self._at_ms

    def latest(self, series: str) -> float:
        """Return the newest value of a series known at the last instant asked for, else NaN."""
        known = self._inputs.readings.freshest(series, lambda one: one.newest(self._at_ms))
        return nan if known is None else known.value

    def changes(self) -> list[StateChange]:
        """Return how regime and macro changed since the last time this was asked.

        A state that became unknown is no change, nor is its return.
        """
        found = list(self._changes)
        self._changes.clear()
        return found

    def prune(self, at_ms: int) -> None:
        """Forget what has no effect any more."""
        self._settle(at_ms)
        for series, span_s in _spans_s(self._inputs.settings).items():
            self._inputs.readings.prune(series, self._at_ms - span_s * _MS_PER_S)
        self._inputs.mentions.prune(self._at_ms)
        self._inputs.stories.prune(self._at_ms)

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {
            "version": VERSION,
            "at_ms": self._at_ms,
            "pending": [fact_to_json(fact) for fact in self._pending],
            "readings": self._inputs.readings.to_json(),
            "mentions": self._inputs.mentions.to_json(),
            "stories": self._inputs.stories.to_json(),
            "regime": self._inputs.regime.to_json(),
            "states": dict(self._states),
            "changes": [list(change) for change in self._changes],
        }

    @classmethod
    def from_json(cls, settings: Settings, document: Any) -> Self:
        """Return the state of a document that `to_json` gave.

        Raises
        ------
        PayloadError
            When it is something else, or of another version.
        """
        state = cls(settings)
        try:
            state._load(document)
        except _BROKEN as error:
            raise PayloadError(f"no sentiment state: {error!r}") from error
        return state

    def _load(self, document: Any) -> None:
        if document["version"] != VERSION:
            raise PayloadError(f"sentiment state of version {document['version']!r}")
        self._at_ms = int(document["at_ms"])
        self.add(fact_from_json(row) for row in document["pending"])
        self._inputs.readings.load(document["readings"])
        self._inputs.mentions.load(document["mentions"])
        self._inputs.stories.load(document["stories"])
        self._inputs.regime.load(document["regime"])
        self._states = {str(kind): str(state) for kind, state in document["states"].items()}
        for kind, old, new, text, at_ms in document["changes"]:
            change = StateChange(str(kind), str(old), str(new), str(text), int(at_ms))
            self._changes.append(change)

    def _settle(self, at_ms: int) -> None:
        self._at_ms = max(self._at_ms, at_ms)
        due = bisect_right(self._pending, self._at_ms, key=_available)
        for fact in self._pending[:due]:
            self._take(fact)
        del self._pending[:due]

    def _take(self, fact: Told) -> None:
        match fact:
            case Reading():
                self._inputs.readings.add(fact)
            case Mentions():
                self._inputs.mentions.add(fact)
            case Story():
                self._inputs.stories.add(fact)
            case Watched():
                self._inputs.stories.look(fact)

    def _note(self, evidence: Evidence) -> None:
        for flag in evidence.flags:
            kind, _, new = flag.partition("=")
            old = self._states.get(kind, "")
            if kind in (REGIME, MACRO) and new != old:
                self._states[kind] = new
                self._changes.append(StateChange(kind, old, new, evidence.reason, self._at_ms))


def _available(fact: Told) -> int:
    return fact.available_at_ms


def _is_ours(fact: Fact) -> TypeGuard[Told]:
    if isinstance(fact, Reading):
        return fact.series in _SERIES
    if isinstance(fact, Watched):
        return fact.feed == "stories"
    return isinstance(fact, Story | Mentions)


_SERIES: Final = frozenset(
    {
        FEAR_GREED,
        NEWS_TONE,
        BTC_DOMINANCE,
        TOTAL_CAP,
        SP500,
        DOLLAR_INDEX,
        VIX,
        TREASURY_10Y,
        SP500_NOW,
        DOLLAR_INDEX_NOW,
    }
)


def _spans_s(settings: Settings) -> dict[str, int]:
    # How far back each series is looked at.
    own = settings.sentiment
    window = round(own.regime_window_s * (1.0 + own.regime_window_slack))
    # The regime's looks may be a day behind.
    regime = own.regime_freshness_s[-1] + window + _DAY_S
    daily = own.macro_freshness_s[-1] + own.macro_day_gap_s
    hourly = own.macro_now_max_age_s + own.macro_hour_s[1] + HOUR_MS // _MS_PER_S
    return {
        FEAR_GREED: own.fear_greed_freshness_s[-1],
        NEWS_TONE: own.social_freshness_s[-1],
        BTC_DOMINANCE: regime,
        TOTAL_CAP: regime,
        SP500_NOW: hourly,
        DOLLAR_INDEX_NOW: hourly,
    } | dict.fromkeys((SP500, DOLLAR_INDEX, VIX, TREASURY_10Y), daily)

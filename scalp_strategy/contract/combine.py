"""Components of a layer become its score: one function, live, in backtests and on the dashboard.

For a side, ``score = sum(w_i * e_i) / sum(w_i) - penalty`` over all components of the layer, with

- ``e = 50 + f * (s - 50)`` for support (s > 50) of a component that is known: it fades with the
  freshness f of its age;
- ``e = s`` for opposition (s <= 50), which does not fade;
- ``e = min(50, last known s)`` while the component is silent for at most `opposition_max_age_s`;
- ``e = 50`` after that, and for a component that never spoke.

Weights are never taken anew over what is known, and a penalty that goes silent stays for as long as
opposition does: losing data can never raise a score. The reliability, ``sum(w_i * f_i) / sum(w_i)``
(f = 0 when silent), tells how much of the layer is known. Every step works element by element and
in the order of the rules, so that one row and a column of rows give bit-identical results.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scalp_strategy.contract.component import MARKET_WIDE, Component, LayerScore
from scalp_strategy.errors import ContractViolation

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_NEUTRAL: Final = 50.0
_MAX_SCORE: Final = 100.0
_MS_PER_S: Final = 1_000


@dataclass(frozen=True, slots=True)
class ComponentRule:
    """Weight of a component and how its reliability falls with age.

    Attributes
    ----------
    freshness_s
        Ages in seconds, ascending, at which the reliability falls.
    freshness
        Reliability before the first age, between them, and from the last on: one more than ages.
        Where it is 0 the component is silent.
    is_market_wide
        Whether a row that speaks for the whole market counts for a pair that has none of its own.
        Without it only the pair's own row counts: what is known of others fills no gap.
    """

    name: str
    weight: float
    freshness_s: tuple[float, ...]
    freshness: tuple[float, ...]
    is_market_wide: bool = False

    def __post_init__(self) -> None:
        if len(self.freshness) != len(self.freshness_s) + 1:
            raise ContractViolation(
                f"{self.name}: {len(self.freshness_s)} ages need {len(self.freshness_s) + 1} "
                f"reliabilities, there are {len(self.freshness)}"
            )

    @property
    def silent_from_s(self) -> float:
        """The age from which the component is silent, infinite when its age alone never does it."""
        falls = zip(self.freshness_s, self.freshness[1:], strict=True)
        return next((age for age, fresh in falls if fresh == 0.0), inf)


@dataclass(frozen=True, slots=True)
class LayerRules:
    """How the components of a layer combine.

    Attributes
    ----------
    opposition_max_age_s
        For how long the last opposition of a silent component, and its penalty, still count.
    penalties
        Points that both sides lose while a component carries that flag.
    state_ages_s
        Seconds for which a flag that is a state counts at most, where that is less than its
        component's scores do.
    state_renewal_s
        Seconds after which a state in a row that was not given again counts no more: whoever gave
        it is gone.
    """

    layer: str
    components: tuple[ComponentRule, ...]
    opposition_max_age_s: float
    penalties: Mapping[str, float] = field(default_factory=dict)
    state_ages_s: Mapping[str, float] = field(default_factory=dict)
    state_renewal_s: float = inf

    @property
    def horizon_ms(self) -> int:
        """For how long a row that is not given again is remembered: by all readers alike.

        The longest of the ages at which a component's reliability falls, and of the time for which
        opposition counts.
        """
        ages = (age for rule in self.components for age in rule.freshness_s)
        return int(max(self.opposition_max_age_s, *ages, 0) * _MS_PER_S)

    def rule(self, name: str) -> ComponentRule | None:
        """Return the rule of a component, None for one that has no weight."""
        return next((rule for rule in self.components if rule.name == name), None)

    def is_heard(self, name: str, pair: str) -> bool:
        """Whether a row of a component counts that was given for `pair`, be it the whole market."""
        rule = self.rule(name)
        return pair != MARKET_WIDE or rule is None or rule.is_market_wide


@dataclass(frozen=True, slots=True, eq=False)
class Picked:
    """The last known row of one component as of each of n instants; NaN scores where none was.

    Attributes
    ----------
    long, short
        Scores 0..100, shape (n,).
    observed_at_ms, available_at_ms
        When it was true and when it could be known, epoch milliseconds, shape (n,).
    is_last_word
        Whether no row followed by then that says the component is unknown, shape (n,).
    flags
        Where each flag was set, shape (n,); flags never set may be left out.
    """

    long: Floats
    short: Floats
    observed_at_ms: Ints
    available_at_ms: Ints
    is_last_word: Bools
    flags: Mapping[str, Bools] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class LayerColumns:
    """A layer at each of n instants: scores 0..100 or NaN, reliability 0..1.

    The scores are effective ones: support has faded already. NaN where nothing is known and nothing
    that was known counts any more.
    """

    long: Floats
    short: Floats
    reliability: Floats


def combine_columns(picked: Mapping[str, Picked], rules: LayerRules, at_ms: Ints) -> LayerColumns:
    """Return the score of a layer at every instant.

    Parameters
    ----------
    picked
        The components by name, each of shape (n,). A component without a rule has no weight.
    rules
        Weights, freshness, penalties.
    at_ms
        The instants, epoch milliseconds, shape (n,).

    Returns
    -------
    LayerColumns
        NaN scores where no component is known, nor any opposition of one remembered.
    """
    count = len(at_ms)
    long, short, fresh, total, penalty = (np.zeros(count) for _ in range(5))
    is_heard = np.zeros(count, dtype=np.bool_)
    for rule in rules.components:
        total += rule.weight
        one = picked.get(rule.name)
        if one is None:
            long += rule.weight * _NEUTRAL
            short += rule.weight * _NEUTRAL
            continue
        spoken = _spoken(one, rule, rules, at_ms)
        long += rule.weight * _effective(one.long, spoken)
        short += rule.weight * _effective(one.short, spoken)
        fresh += rule.weight * spoken.freshness
        counts = spoken.is_known | spoken.is_remembered
        is_heard |= counts
        penalty = np.maximum(penalty, _penalty(one, rules.penalties, counts))
    with np.errstate(invalid="ignore", divide="ignore"):
        mean_long, mean_short = long / total, short / total
        reliability = np.where(total > 0.0, fresh / total, 0.0)
    return LayerColumns(
        np.where(is_heard, np.clip(mean_long - penalty, 0.0, _MAX_SCORE), np.nan),
        np.where(is_heard, np.clip(mean_short - penalty, 0.0, _MAX_SCORE), np.nan),
        np.minimum(reliability, 1.0),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Spoken:
    """What a component's last known row is worth at each instant."""

    freshness: Floats
    is_known: Bools
    is_remembered: Bools


def _spoken(one: Picked, rule: ComponentRule, rules: LayerRules, at_ms: Ints) -> _Spoken:
    has_score = np.isfinite(one.long) & np.isfinite(one.short)
    is_kept = has_score & (at_ms - one.available_at_ms <= rules.horizon_ms)
    fresh = _freshness(rule, at_ms - one.observed_at_ms)
    freshness = np.where(is_kept & one.is_last_word, fresh, 0.0)
    is_known = freshness > 0.0
    silent_ms = at_ms - np.minimum(
        one.available_at_ms, one.observed_at_ms + rule.silent_from_s * _MS_PER_S
    )
    is_recent = silent_ms <= rules.opposition_max_age_s * _MS_PER_S
    return _Spoken(freshness, is_known, is_kept & ~is_known & is_recent)


def _effective(score: Floats, spoken: _Spoken) -> Floats:
    faded = _NEUTRAL + spoken.freshness * (score - _NEUTRAL)
    known = np.where(score > _NEUTRAL, faded, score)
    silent = np.where(spoken.is_remembered, np.minimum(_NEUTRAL, score), _NEUTRAL)
    return np.where(spoken.is_known, known, silent)


def combine(components: Iterable[Component], rules: LayerRules, at_ms: int) -> LayerScore:
    """Return the score of a layer at one instant.

    Parameters
    ----------
    components
        Rows of the layer for one pair, the market-wide ones too: of each name at least the newest
        and the newest that is known. Where the pair has a row of its own, the market's does not
        count; see `ComponentRule.is_market_wide`. Of two rows known at the same instant the one
        given last wins; one not known by `at_ms` is ignored.
    rules
        Weights, freshness, penalties.
    at_ms
        The instant, epoch milliseconds.
    """
    rows = _rows_by_name(components, rules, at_ms)
    known = {name: own for name, own in rows.items() if own.known is not None}
    picked = {name: _picked(own) for name, own in known.items()}
    columns = combine_columns(picked, rules, np.array([at_ms], dtype=np.int64))
    current = {
        name: own.known
        for name, own in known.items()
        if own.known is not None and _is_current(own, rules, at_ms)
    }
    return LayerScore(
        float(columns.long[0]),
        float(columns.short[0]),
        float(columns.reliability[0]),
        _reasons(current, rules),
        {name: (at_ms - one.observed_at_ms) / _MS_PER_S for name, one in current.items()},
    )


@dataclass(frozen=True, slots=True)
class _Rows:
    """The newest row of a component, and the newest that is known."""

    newest: Component
    known: Component | None


def _rows_by_name(
    components: Iterable[Component], rules: LayerRules, at_ms: int
) -> dict[str, _Rows]:
    own: dict[str, _Rows] = {}
    market: dict[str, _Rows] = {}
    oldest_ms = at_ms - rules.horizon_ms
    for one in components:
        is_in_time = oldest_ms <= one.available_at_ms <= at_ms
        if one.layer == rules.layer and is_in_time and rules.is_heard(one.name, one.pair):
            rows = market if one.pair == MARKET_WIDE else own
            rows[one.name] = _with(rows.get(one.name), one)
    return market | own


def _with(rows: _Rows | None, one: Component) -> _Rows:
    newest = one if rows is None else _newer(rows.newest, one)
    known = None if rows is None else rows.known
    if one.is_known:
        known = one if known is None else _newer(known, one)
    return _Rows(newest, known)


def _newer(held: Component, one: Component) -> Component:
    return one if one.available_at_ms >= held.available_at_ms else held


def _picked(rows: _Rows) -> Picked:
    one = rows.known or rows.newest
    return Picked(
        np.array([one.long]),
        np.array([one.short]),
        np.array([one.observed_at_ms], dtype=np.int64),
        np.array([one.available_at_ms], dtype=np.int64),
        np.array([one is rows.newest]),
        {flag: np.array([True]) for flag in one.flags},
    )


def _is_current(rows: _Rows, rules: LayerRules, at_ms: int) -> bool:
    if rows.known is not rows.newest:
        return False
    rule = rules.rule(rows.newest.name)
    age_ms = np.array([at_ms - rows.newest.observed_at_ms], dtype=np.int64)
    return rule is None or bool(_freshness(rule, age_ms)[0] > 0.0)


def _freshness(rule: ComponentRule, age_ms: Ints) -> Floats:
    ages_ms = np.array([age * _MS_PER_S for age in rule.freshness_s])
    steps = np.array(rule.freshness, dtype=np.float64)
    fresh: Floats = steps[np.searchsorted(ages_ms, age_ms, side="right")]
    return fresh


def _penalty(one: Picked, penalties: Mapping[str, float], counts: Bools) -> Floats | float:
    points: Floats | float = 0.0
    for flag, is_set in one.flags.items():
        points = np.maximum(points, np.where(is_set & counts, penalties.get(flag, 0.0), 0.0))
    return points


def _reasons(known: Mapping[str, Component], rules: LayerRules) -> tuple[str, ...]:
    weights = {rule.name: rule.weight for rule in rules.components}

    def contribution(one: Component) -> float:
        strongest = max(abs(one.long - _NEUTRAL), abs(one.short - _NEUTRAL))
        return weights.get(one.name, 0.0) * strongest

    ranked = sorted(known.values(), key=contribution, reverse=True)
    return tuple(one.reason for one in ranked if one.reason)

"""Components of a layer become its score: one function, live, in backtests and on the dashboard.

Unknown components are left out and the rest is weighed anew; what is missing or old lowers the
reliability, ``sum(w_i * f_i) / sum(w_i)`` with the freshness f_i of component i (0 when unknown).
Every step works element by element and in the order of the rules, so that one row and a column of
rows give bit-identical results.
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
        Where it is 0 the component counts as unknown.
    """

    name: str
    weight: float
    freshness_s: tuple[float, ...]
    freshness: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.freshness) != len(self.freshness_s) + 1:
            raise ContractViolation(
                f"{self.name}: {len(self.freshness_s)} ages need {len(self.freshness_s) + 1} "
                f"reliabilities, there are {len(self.freshness)}"
            )


@dataclass(frozen=True, slots=True)
class LayerRules:
    """How the components of a layer combine.

    `penalties` are points that both sides lose while a fresh component carries that flag.
    `state_ages_s` are seconds for which a flag that is a state counts at most, where that is less
    than its component's scores do, and `state_renewal_s` those after which a state in a row that
    was not given again counts no more: whoever gave it is gone.
    """

    layer: str
    components: tuple[ComponentRule, ...]
    penalties: Mapping[str, float] = field(default_factory=dict)
    state_ages_s: Mapping[str, float] = field(default_factory=dict)
    state_renewal_s: float = inf


@dataclass(frozen=True, slots=True, eq=False)
class Picked:
    """One component as of each of n instants; NaN scores where nothing was known.

    `flags` maps a flag to where it was set, shape (n,); flags never set may be left out.
    """

    long: Floats
    short: Floats
    observed_at_ms: Ints
    flags: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class LayerColumns:
    """A layer at each of n instants: scores 0..100 or NaN, reliability 0..1."""

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
        NaN scores and reliability 0 where no component is known.
    """
    count = len(at_ms)
    long, short, known, fresh, total = (np.zeros(count) for _ in range(5))
    penalty = np.zeros(count)
    for rule in rules.components:
        total += rule.weight
        one = picked.get(rule.name)
        if one is None:
            continue
        freshness = _freshness(rule, at_ms - one.observed_at_ms)
        is_known = np.isfinite(one.long) & np.isfinite(one.short) & (freshness > 0.0)
        weight = np.where(is_known, rule.weight, 0.0)
        long += weight * np.where(is_known, one.long, 0.0)
        short += weight * np.where(is_known, one.short, 0.0)
        known += weight
        fresh += weight * np.where(is_known, freshness, 0.0)
        penalty = np.maximum(penalty, _penalty(one, rules.penalties, is_known))
    with np.errstate(invalid="ignore", divide="ignore"):
        mean_long = np.where(known > 0.0, long / known, np.nan)
        mean_short = np.where(known > 0.0, short / known, np.nan)
        reliability = np.where(total > 0.0, fresh / total, 0.0)
    return LayerColumns(
        np.clip(mean_long - penalty, 0.0, _MAX_SCORE),
        np.clip(mean_short - penalty, 0.0, _MAX_SCORE),
        np.minimum(reliability, 1.0),
    )


def combine(components: Iterable[Component], rules: LayerRules, at_ms: int) -> LayerScore:
    """Return the score of a layer at one instant.

    Parameters
    ----------
    components
        The components of the layer for one pair, the market-wide ones too. Of a name that is given
        twice the pair's own wins, then the one known last; one not known by `at_ms` is ignored.
    rules
        Weights, freshness, penalties.
    at_ms
        The instant, epoch milliseconds.
    """
    current: dict[str, Component] = {}
    for one in components:
        if one.layer == rules.layer and one.available_at_ms <= at_ms:
            held = current.get(one.name)
            if held is None or _precedence(one) >= _precedence(held):
                current[one.name] = one
    picked = {name: _picked(one) for name, one in current.items()}
    columns = combine_columns(picked, rules, np.array([at_ms], dtype=np.int64))
    known = {
        name: one for name, one in current.items() if one.is_known and _is_fresh(one, rules, at_ms)
    }
    return LayerScore(
        float(columns.long[0]),
        float(columns.short[0]),
        float(columns.reliability[0]),
        _reasons(known, rules),
        {name: (at_ms - one.observed_at_ms) / _MS_PER_S for name, one in known.items()},
    )


def _precedence(component: Component) -> tuple[bool, int]:
    return component.pair != MARKET_WIDE, component.available_at_ms


def _picked(component: Component) -> Picked:
    return Picked(
        np.array([component.long]),
        np.array([component.short]),
        np.array([component.observed_at_ms], dtype=np.int64),
        {flag: np.array([True]) for flag in component.flags},
    )


def _freshness(rule: ComponentRule, age_ms: Ints) -> Floats:
    ages_ms = np.array([age * _MS_PER_S for age in rule.freshness_s])
    steps = np.array(rule.freshness, dtype=np.float64)
    fresh: Floats = steps[np.searchsorted(ages_ms, age_ms, side="right")]
    return fresh


def _is_fresh(one: Component, rules: LayerRules, at_ms: int) -> bool:
    age_ms = np.array([at_ms - one.observed_at_ms], dtype=np.int64)
    own = [rule for rule in rules.components if rule.name == one.name]
    return not own or bool(_freshness(own[0], age_ms)[0] > 0.0)


def _penalty(
    one: Picked, penalties: Mapping[str, float], is_known: NDArray[np.bool_]
) -> Floats | float:
    points: Floats | float = 0.0
    for flag, is_set in one.flags.items():
        points = np.maximum(points, np.where(is_set & is_known, penalties.get(flag, 0.0), 0.0))
    return points


def _reasons(known: Mapping[str, Component], rules: LayerRules) -> tuple[str, ...]:
    weights = {rule.name: rule.weight for rule in rules.components}

    def contribution(one: Component) -> float:
        strongest = max(abs(one.long - _NEUTRAL), abs(one.short - _NEUTRAL))
        return weights.get(one.name, 0.0) * strongest

    ranked = sorted(known.values(), key=contribution, reverse=True)
    return tuple(one.reason for one in ranked if one.reason)

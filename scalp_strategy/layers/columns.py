"""Outside evidence as columns of a pair's candles: one function, live and in backtests.

Pure but for the source it is given.
"""

from collections.abc import Mapping
from math import inf
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from pandas import DataFrame, Series, isna

from scalp_strategy.contract import (
    CANDLE_MS,
    MARKET_WIDE,
    ComponentRule,
    LayerRules,
    LayerScore,
    combine,
    combine_columns,
    layer_column,
)
from scalp_strategy.layers.series import (
    ComponentSeries,
    Ints,
    RowsAt,
    flag_masks,
    overlaid,
    pick,
    rows_at,
)
from scalp_strategy.setting_groups.layer_rules import rules_of
from scalp_strategy.settings import Settings

# A component's flag "regime=RISK_OFF" becomes the cell "RISK_OFF" of the column "regime".
FLAG_COLUMNS: Final = ("regime", "macro")

_MS_PER_S: Final = 1_000


class LayerSource(Protocol):
    """Where components come from: the sidecar, or the archive."""

    def series(
        self, layer: str, pair: str, since_ms: int, until_ms: int
    ) -> Mapping[str, ComponentSeries]:
        """Return what was known at the 15m closes of a span.

        Parameters
        ----------
        layer
            E.g. ``"orderflow"``.
        pair
            Freqtrade's name, or ``"*"`` for the rows that speak for the whole market.
        since_ms, until_ms
            Rows that became known from the first to the second, both included.

        Returns
        -------
        Mapping
            By component name; of the rows between two 15m closes at least the last.
        """
        ...


class LayerRows(NamedTuple):
    """Rows of a layer's components by name: the pair's own and the whole market's."""

    own: Mapping[str, ComponentSeries]
    market: Mapping[str, ComponentSeries]

    def at(self, rules: LayerRules, closes_ms: Ints) -> dict[str, RowsAt]:
        """Return which rows count at each close, for every component that ever spoke."""
        found = {}
        for name in sorted({*self.own, *self.market}):
            is_market_heard = rules.is_heard(name, MARKET_WIDE)
            own, market = self.own.get(name), self.market.get(name) if is_market_heard else None
            rows = overlaid(
                None if own is None else rows_at(own, closes_ms, rules.horizon_ms),
                None if market is None else rows_at(market, closes_ms, rules.horizon_ms),
            )
            if rows is not None:
                found[name] = rows
        return found


def layer_frame(
    source: LayerSource, pair: str, dates: "Series[Any]", settings: Settings
) -> DataFrame:
    """Return what the outside layers say at the close of every candle.

    Parameters
    ----------
    source
        Live or archived components.
    pair
        Freqtrade's name of the pair.
    dates
        Opens of 15m candles, time-zone aware, shape (n,).
    settings
        Weights, freshness, penalties, how long opposition counts.

    Returns
    -------
    DataFrame
        On the index of `dates`: `<layer>_long`, `<layer>_short` (0..100, NaN = silent) and
        `<layer>_reliability` (0..1, 0 = silent) of every layer that is made of components, and
        those of `FLAG_COLUMNS` that some component has set (strings, None = unknown).

    Notes
    -----
    Causal: a row uses what was known at its close, 15 minutes after its date.
    """
    closes_ms: Ints = dates.dt.as_unit("ms").array.asi8 + CANDLE_MS
    columns: dict[str, NDArray[Any]] = {}
    for rules in rules_of(settings):
        rows = _rows(source, pair, rules, closes_ms)
        for name, values in layer_columns(rows, rules, closes_ms).items():
            held = columns.get(name)
            columns[name] = values if held is None else _filled(held, values)
    # Typed one by one: a frame by itself turns None among strings into NaN.
    typed = {
        name: Series(values, index=dates.index, dtype=values.dtype)
        for name, values in columns.items()
    }
    return DataFrame(typed, index=dates.index)


def layer_columns(rows: LayerRows, rules: LayerRules, closes_ms: Ints) -> dict[str, NDArray[Any]]:
    """Return a layer's scores, reliability and states at each close.

    Parameters
    ----------
    rows
        The components.
    rules
        How they combine.
    closes_ms
        Instants, epoch milliseconds, shape (n,).

    Returns
    -------
    dict
        `<layer>_long`, `<layer>_short`, `<layer>_reliability` and, where a component has set such
        a flag, the columns of `FLAG_COLUMNS`; each of shape (n,).
    """
    counting = rows.at(rules, closes_ms)
    combined = combine_columns(
        {name: pick(each) for name, each in counting.items()}, rules, closes_ms
    )
    columns: dict[str, NDArray[Any]] = {
        layer_column(rules.layer, field): getattr(combined, field)
        for field in ("long", "short", "reliability")
    }
    states = {name: _states(each, rules, closes_ms) for name, each in counting.items()}
    for key in FLAG_COLUMNS:
        column = _flag_column(states, rules, closes_ms, key)
        if column is not None:
            columns[key] = column
    return columns


def layer_reasons(
    source: LayerSource, pair: str, close_ms: int, layer: str, settings: Settings
) -> LayerScore:
    """Return what a layer says at one 15m close, with reasons and ages, for messages.

    Its scores and reliability are those of `layer_frame` at that close. A layer without rules
    says nothing.
    """
    rules = next((one for one in rules_of(settings) if one.layer == layer), None)
    if rules is None:
        return LayerScore(float("nan"), float("nan"), 0.0)
    closes_ms = np.array([close_ms], dtype=np.int64)
    components = []
    for name, rows in _rows(source, pair, rules, closes_ms).at(rules, closes_ms).items():
        counting = sorted({int(rows.known[0]), int(rows.last[0])} - {-1})
        components += [rows.series.component(row, layer, name, pair) for row in counting]
    return combine(components, rules, close_ms)


def _rows(source: LayerSource, pair: str, rules: LayerRules, closes_ms: Ints) -> LayerRows:
    if not len(closes_ms):
        return LayerRows({}, {})
    since, until = int(closes_ms.min()) - rules.horizon_ms, int(closes_ms.max())
    return LayerRows(
        source.series(rules.layer, pair, since, until),
        source.series(rules.layer, MARKET_WIDE, since, until),
    )


class _States(NamedTuple):
    """What flags the last row sets, when it was true, and whether it was given lately enough."""

    flags: Mapping[str, NDArray[np.bool_]]
    observed_ms: Ints
    renewed: NDArray[np.bool_]


def _states(rows: RowsAt, rules: LayerRules, closes_ms: Ints) -> _States:
    series, last = rows.series, rows.last
    if not len(series):
        return _States({}, np.zeros(len(last), dtype=np.int64), np.zeros(len(last), dtype=np.bool_))
    since_ms = closes_ms - series.available_ms[last]
    return _States(
        flag_masks(series, last),
        np.where(last >= 0, series.observed_ms[last], 0),
        (last >= 0) & (since_ms <= rules.state_renewal_s * _MS_PER_S),
    )


def _flag_column(
    states: Mapping[str, _States],
    rules: LayerRules,
    closes_ms: Ints,
    key: str,
) -> NDArray[np.object_] | None:
    """States set while their component is fresh; of several components the first rule's wins.

    A state needs no score beside it, and a component without a rule is fresh while remembered.
    """
    by_name = {rule.name: rule for rule in rules.components}
    ranked = [name for name in by_name if name in states]
    column: NDArray[np.object_] | None = None
    for name in ranked + sorted(set(states) - set(ranked)):
        own = states[name]
        age_ms = closes_ms - own.observed_ms
        fresh = _is_fresh(by_name.get(name), age_ms) & own.renewed
        # Sorted: what else was ever set must not change which of two states of a row is taken.
        for flag in sorted(own.flags):
            if flag.startswith(f"{key}="):
                values = np.full(len(closes_ms), None, dtype=np.object_)
                holds = fresh & (age_ms <= rules.state_ages_s.get(flag, inf) * _MS_PER_S)
                values[own.flags[flag] & holds] = flag.removeprefix(f"{key}=")
                column = values if column is None else _filled(column, values)
    return column


def _is_fresh(rule: ComponentRule | None, age_ms: Ints) -> NDArray[np.bool_]:
    if rule is None:
        return np.ones(len(age_ms), dtype=np.bool_)
    ages_ms = np.array([age * _MS_PER_S for age in rule.freshness_s])
    steps = np.array(rule.freshness, dtype=np.float64)
    return steps[np.searchsorted(ages_ms, age_ms, side="right")] > 0.0


def _filled(first: NDArray[Any], second: NDArray[Any]) -> NDArray[Any]:
    return np.where(isna(first), second, first)

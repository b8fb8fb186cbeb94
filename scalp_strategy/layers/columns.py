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
    Picked,
    combine,
    combine_columns,
    layer_column,
)
from scalp_strategy.layers.series import ComponentSeries, Ints, overlaid, pick
from scalp_strategy.setting_groups.layer_rules import horizon_ms, rules_of
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

    @property
    def names(self) -> list[str]:
        """Every component that ever spoke."""
        return sorted({*self.own, *self.market})


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
        longest = horizon_ms(rules, settings)
        rows = _rows(source, pair, rules.layer, (closes_ms, longest))
        for name, values in layer_columns(rows, rules, closes_ms, longest).items():
            held = columns.get(name)
            columns[name] = values if held is None else _filled(held, values)
    # Typed one by one: a frame by itself turns None among strings into NaN.
    typed = {
        name: Series(values, index=dates.index, dtype=values.dtype)
        for name, values in columns.items()
    }
    return DataFrame(typed, index=dates.index)


def layer_columns(
    rows: LayerRows, rules: LayerRules, closes_ms: Ints, longest_ms: int
) -> dict[str, NDArray[Any]]:
    """Return a layer's scores, reliability and states at each close.

    Parameters
    ----------
    rows
        The components.
    rules
        How they combine.
    closes_ms
        Instants, epoch milliseconds, shape (n,).
    longest_ms
        For how long a row that is not renewed is remembered, `horizon_ms`.

    Returns
    -------
    dict
        `<layer>_long`, `<layer>_short`, `<layer>_reliability` and, where a component has set such
        a flag, the columns of `FLAG_COLUMNS`; each of shape (n,).
    """
    known = {
        name: overlaid(rows.own.get(name), rows.market.get(name), closes_ms, longest_ms)
        for name in rows.names
    }
    picked = {name: pick(series, row) for name, (series, row) in known.items()}
    combined = combine_columns(picked, rules, closes_ms)
    columns: dict[str, NDArray[Any]] = {
        layer_column(rules.layer, field): getattr(combined, field)
        for field in ("long", "short", "reliability")
    }
    renewed = {
        name: _is_renewed(series, row, closes_ms, rules) for name, (series, row) in known.items()
    }
    for key in FLAG_COLUMNS:
        column = _flag_column(picked, renewed, rules, closes_ms, key)
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
    longest = horizon_ms(rules, settings)
    closes_ms = np.array([close_ms], dtype=np.int64)
    rows = _rows(source, pair, layer, (closes_ms, longest))
    components = []
    for name in rows.names:
        series, (row,) = overlaid(rows.own.get(name), rows.market.get(name), closes_ms, longest)
        if row >= 0:
            components.append(series.component(int(row), layer, name, pair))
    return combine(components, rules, close_ms)


def _rows(source: LayerSource, pair: str, layer: str, span: tuple[Ints, int]) -> LayerRows:
    closes_ms, longest = span
    if not len(closes_ms):
        return LayerRows({}, {})
    since, until = int(closes_ms.min()) - longest, int(closes_ms.max())
    return LayerRows(
        source.series(layer, pair, since, until), source.series(layer, MARKET_WIDE, since, until)
    )


def _is_renewed(
    series: ComponentSeries, rows: Ints, closes_ms: Ints, rules: LayerRules
) -> NDArray[np.bool_]:
    """Where a known row was given so lately that a state in it still counts."""
    if not len(series):
        return np.zeros(len(rows), dtype=np.bool_)
    since_ms = closes_ms - series.available_ms[rows]
    renewed: NDArray[np.bool_] = since_ms <= rules.state_renewal_s * _MS_PER_S
    return renewed


def _flag_column(
    picked: Mapping[str, Picked],
    renewed: Mapping[str, NDArray[np.bool_]],
    rules: LayerRules,
    closes_ms: Ints,
    key: str,
) -> NDArray[np.object_] | None:
    """States set while their component is fresh; of several components the first rule's wins.

    A state needs no score beside it, and a component without a rule is fresh while remembered.
    """
    by_name = {rule.name: rule for rule in rules.components}
    ranked = [name for name in by_name if name in picked]
    column: NDArray[np.object_] | None = None
    for name in ranked + sorted(set(picked) - set(ranked)):
        age_ms = closes_ms - picked[name].observed_at_ms
        fresh = _is_fresh(by_name.get(name), age_ms) & renewed[name]
        # Sorted: what else was ever set must not change which of two states of a row is taken.
        for flag in sorted(picked[name].flags):
            if flag.startswith(f"{key}="):
                values = np.full(len(closes_ms), None, dtype=np.object_)
                holds = fresh & (age_ms <= rules.state_ages_s.get(flag, inf) * _MS_PER_S)
                values[picked[name].flags[flag] & holds] = flag.removeprefix(f"{key}=")
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

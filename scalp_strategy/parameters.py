"""The strategy's hyperopt parameters and the settings they stand for.

Freqtrade sets a parameter's default when the class is defined, before any config is read. So the
strategy hands the configured values to the host as `<space>_params`, over which the host merges
the parameter file; hyperopt sets its epoch's values over both. `effective_settings` puts them
back into the settings.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from scalp_strategy.settings import Settings, with_overrides


@dataclass(frozen=True, slots=True)
class Tunable:
    """A setting that hyperopt may search: its parameter's name, space and bounds."""

    name: str
    space: str
    key: str
    low: float
    high: float
    decimals: int


_WEIGHT_LOW: Final = 0.01  # never all zero, so that weights can always be normalised


def _weights(space: str, prefix: str, group: str, names: tuple[str, ...]) -> tuple[Tunable, ...]:
    return tuple(
        Tunable(f"{prefix}_{name}", space, f"{group}.{name}", _WEIGHT_LOW, 1.0, 2) for name in names
    )


LAYER_NAMES: Final = ("technical", "orderflow", "onchain", "sentiment", "base_rate")
INDICATOR_NAMES: Final = (
    "rsi",
    "ema_structure",
    "vwap",
    "macd",
    "bollinger",
    "obv",
    "stochrsi",
    "volume",
    "support_resistance",
    "pattern",
)

TUNABLES: Final = (
    *_weights("weights", "weight", "confluence.weights", LAYER_NAMES),
    *_weights("indicators", "indicator", "technical.weights", INDICATOR_NAMES),
    Tunable("high_threshold", "thresholds", "confluence.high_threshold", 65, 95, 0),
    Tunable("medium_threshold", "thresholds", "confluence.medium_threshold", 65, 85, 0),
    Tunable("min_atr_pct", "thresholds", "entry.min_atr_pct", 0.0, 1.5, 2),
    Tunable("min_volume_ratio", "thresholds", "entry.min_volume_ratio", 0.0, 3.0, 1),
)
_NORMALISED: Final = ("weights", "indicators")
_HIGH: Final = "confluence.high_threshold"
_MEDIUM: Final = "confluence.medium_threshold"


def configured(settings: Settings, tunable: Tunable) -> float:
    """Return the value that the settings give a parameter."""
    value: Any = settings
    for part in tunable.key.split("."):
        value = getattr(value, part)
    return float(value)


def space_values(settings: Settings, space: str | None = None) -> dict[str, float]:
    """Return the configured value of every parameter of a space, or of all, by name."""
    return {
        tunable.name: configured(settings, tunable)
        for tunable in TUNABLES
        if space is None or tunable.space == space
    }


def effective_settings(settings: Settings, values: Mapping[str, float]) -> Settings:
    """Return the settings with the parameters' present values in them.

    Parameters
    ----------
    settings
        The settings as configured.
    values
        Present value of each parameter by name. A value that is the configured one, rounded as
        the host rounds, leaves the configured one.

    Returns
    -------
    Settings
        Weights that differ are scaled to sum to 1; a medium threshold above the high one lifts it.
    """
    present = {tunable.key: _present(settings, tunable, values) for tunable in TUNABLES}
    changed = {
        tunable.key: present[tunable.key]
        for tunable in TUNABLES
        if present[tunable.key] != configured(settings, tunable)
    }
    if not changed:
        return settings
    for space in _NORMALISED:
        keys = [tunable.key for tunable in TUNABLES if tunable.space == space]
        if not changed.keys().isdisjoint(keys):
            total = sum(present[key] for key in keys)
            changed |= {key: present[key] / total for key in keys}
    if present[_MEDIUM] > present[_HIGH]:
        changed[_HIGH] = present[_MEDIUM]
    return with_overrides(settings, changed)


def _present(settings: Settings, tunable: Tunable, values: Mapping[str, float]) -> float:
    """Return a parameter's value; the configured one where only the host's rounding differs."""
    known, value = configured(settings, tunable), values[tunable.name]
    return known if value == round(known, tunable.decimals) else value

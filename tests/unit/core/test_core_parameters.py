import pytest
from freqtrade.strategy.hyper import detect_all_parameters

from scalp_strategy.parameters import (
    INDICATOR_NAMES,
    LAYER_NAMES,
    TUNABLES,
    configured,
    effective_settings,
    space_values,
)
from scalp_strategy.settings import Settings, iter_keys, load_settings, settings_hash
from scalp_strategy.strategy import ScalpStrategy

THIRDS = {
    "technical": 0.333,
    "orderflow": 0.333,
    "onchain": 0.334,
    "sentiment": 0.0,
    "base_rate": 0.0,
}


def settings_of(**section) -> Settings:
    return load_settings({"scalp": section})


def host_values(settings: Settings, **changes: float) -> dict[str, float]:
    """Return what the host's parameters hold: the configured values, rounded, but for changes."""
    values = space_values(settings)
    rounded = {one.name: round(values[one.name], one.decimals) for one in TUNABLES}
    return rounded | changes


def test_names_are_unique_and_mean_settings():
    names = [one.name for one in TUNABLES]
    assert len(set(names)) == len(names)
    assert {one.key for one in TUNABLES} <= set(dict(iter_keys()))
    assert all(one.space.isidentifier() for one in TUNABLES)


@pytest.mark.parametrize("tunable", TUNABLES, ids=lambda one: one.name)
def test_bounds_hold_the_default_and_every_bound_is_a_valid_setting(tunable):
    assert tunable.low <= configured(Settings(), tunable) <= tunable.high
    field = dict(iter_keys())[tunable.key]
    for bound in (tunable.low, tunable.high):
        assert all(bound >= limit.ge for limit in field.metadata if hasattr(limit, "ge"))
        assert all(bound <= limit.le for limit in field.metadata if hasattr(limit, "le"))


def test_every_weight_is_tunable():
    weights = Settings().confluence.weights, Settings().technical.weights
    assert set(LAYER_NAMES) == set(type(weights[0]).model_fields)
    assert set(INDICATOR_NAMES) == set(type(weights[1]).model_fields)


@pytest.mark.parametrize(
    "section",
    [
        {},
        {"confluence": {"weights": THIRDS}},
        {"confluence": {"high_threshold": 82.4, "medium_threshold": 66.6}},
        {"entry": {"min_atr_pct": 0.333, "min_volume_ratio": 1.25}},
        {"entry": {"min_atr_pct": 5.0}},  # beyond what hyperopt searches
    ],
)
def test_what_is_configured_stays_when_nothing_is_changed(section):
    settings = settings_of(**section)
    effective = effective_settings(settings, host_values(settings))
    assert effective == settings
    assert settings_hash(effective) == settings_hash(settings)


@pytest.mark.parametrize(
    "section",
    [
        {"confluence": {"high_threshold": 82.4}},
        {"confluence": {"medium_threshold": 66.6}},
        {"confluence": {"weights": THIRDS}},
        {"entry": {"min_volume_ratio": 1.25}},
        {"technical": {"weights": {"rsi": 0.125, "ema_structure": 0.145}}},
    ],
)
def test_one_change_leaves_what_else_is_configured(section):
    settings = settings_of(**section)
    effective = effective_settings(settings, host_values(settings, min_atr_pct=0.7))
    assert effective.entry.min_atr_pct == 0.7
    same = effective.model_copy(update={"entry": settings.entry})
    assert same.entry.min_volume_ratio == effective.entry.min_volume_ratio
    assert same == settings


def test_changed_weights_are_scaled_to_one():
    settings = Settings()
    changed = {f"weight_{name}": 0.5 for name in LAYER_NAMES}
    weights = effective_settings(settings, host_values(settings, **changed)).confluence.weights
    assert weights.model_dump() == pytest.approx(dict.fromkeys(LAYER_NAMES, 0.2))


def test_one_changed_weight_scales_the_others_of_its_space_only():
    settings = Settings()
    effective = effective_settings(settings, host_values(settings, weight_technical=0.85))
    # 0.85 + 0.65 = 1.5
    assert effective.confluence.weights.technical == pytest.approx(0.85 / 1.5)
    assert effective.confluence.weights.orderflow == pytest.approx(0.25 / 1.5)
    assert effective.technical == settings.technical


@pytest.mark.parametrize("extreme", ["low", "high"])
def test_any_corner_of_the_search_is_valid(extreme):
    settings = Settings()
    corner = {one.name: getattr(one, extreme) for one in TUNABLES}
    effective = effective_settings(settings, corner)
    assert sum(effective.confluence.weights.model_dump().values()) == pytest.approx(1)
    assert effective.confluence.medium_threshold == corner["medium_threshold"]


def test_a_medium_threshold_above_the_high_one_lifts_it():
    settings = Settings()
    values = host_values(settings, medium_threshold=84, high_threshold=70)
    confluence = effective_settings(settings, values).confluence
    assert (confluence.medium_threshold, confluence.high_threshold) == (84, 84)


def test_ordered_thresholds_stay_as_they_are():
    settings = Settings()
    values = host_values(settings, medium_threshold=70, high_threshold=90)
    confluence = effective_settings(settings, values).confluence
    assert (confluence.medium_threshold, confluence.high_threshold) == (70, 90)


def test_the_strategy_has_exactly_these_parameters():
    found = {
        name: parameter
        for space in detect_all_parameters(ScalpStrategy).values()
        for name, parameter in space.items()
    }
    assert set(found) == {one.name for one in TUNABLES}
    for one in TUNABLES:
        parameter = found[one.name]
        shape = (parameter.space, parameter.low, parameter.high, parameter.decimals)
        assert shape == (one.space, one.low, one.high, one.decimals)
        assert parameter.value == configured(Settings(), one)
        parameter.value = 0.123456789
        assert parameter.value == round(0.123456789, one.decimals)
        parameter.value = configured(Settings(), one)


def test_space_values_are_those_of_a_space():
    assert set(space_values(Settings(), "weights")) == {f"weight_{name}" for name in LAYER_NAMES}
    assert space_values(Settings(), "thresholds")["high_threshold"] == 80
    assert set(space_values(Settings())) == {one.name for one in TUNABLES}

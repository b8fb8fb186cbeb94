import json
import math
import re

import pytest
from freqtrade.configuration import Configuration

from scalp_strategy.errors import ConfigError
from scalp_strategy.settings import (
    PLAIN_VARIABLES,
    PRESETS,
    Settings,
    iter_keys,
    json_schema,
    load_settings,
    settings_hash,
    with_overrides,
)

KEYS = dict(iter_keys())


def load(section=None, environment=None) -> Settings:
    return load_settings({"scalp": section or {}}, environment)


def refusal(section=None, environment=None) -> str:
    with pytest.raises(ConfigError) as caught:
        load(section, environment)
    return str(caught.value)


def read(settings: Settings, key: str):
    for part in key.split("."):
        settings = getattr(settings, part)
    return settings


def bounds(field) -> dict[str, float]:
    names = ("ge", "gt", "le", "lt")
    return {n: getattr(m, n) for m in field.metadata for n in names if hasattr(m, n)}


@pytest.fixture
def host_config(tmp_path, monkeypatch):
    """Return a function that has Freqtrade read a config file and its environment."""

    def read_config(section, **environment):
        path = tmp_path / "config.json"
        exchange = {"name": "binance", "pair_whitelist": []}
        values = {"user_data_dir": str(tmp_path), "exchange": exchange, "scalp": section}
        path.write_text(json.dumps(values))
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return Configuration.from_files([str(path)])

    return read_config


# ------------------------------------------------------------------------------ what is declared


@pytest.mark.parametrize("key", KEYS)
def test_every_key_is_described_and_its_default_is_within_its_bounds(key):
    field = KEYS[key]
    assert field.description
    if field.annotation in (int, float):
        limits = bounds(field)
        assert limits.get("ge", -math.inf) <= field.default <= limits.get("le", math.inf)
        assert limits.get("gt", -math.inf) < field.default < limits.get("lt", math.inf)


def test_specified_defaults():
    settings = Settings()
    weights = settings.confluence.weights
    assert (weights.technical, weights.orderflow, weights.onchain) == (0.35, 0.25, 0.20)
    assert (weights.sentiment, weights.base_rate) == (0.10, 0.10)
    assert (settings.confluence.high_threshold, settings.confluence.medium_threshold) == (80, 65)
    assert (settings.confluence.min_coverage_high, settings.confluence.min_coverage) == (0.6, 0.3)
    assert settings.confluence.opposition_max_age_s == 4 * 3600
    breakers = settings.breakers
    assert (breakers.max_concurrent_positions, breakers.max_daily_drawdown_pct) == (5, 5.0)
    assert (breakers.max_signals_per_hour, breakers.revenge_cooldown_s) == (10, 900)
    assert breakers.low_quality_hours == (4, 5, 6, 7, 20, 21, 22, 23)
    assert breakers.low_quality_shift == 5


def test_the_schema_describes_every_key_and_allows_no_other():
    schema = json.loads(json.dumps(json_schema()))
    groups = [schema, *schema["$defs"].values()]
    objects = [group for group in groups if group.get("type") == "object"]
    assert all(group["additionalProperties"] is False for group in objects)
    named = {name for group in objects for name in group["properties"]}
    assert {key.rsplit(".", 1)[-1] for key in KEYS} <= named


# -------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"prest": "measured"}, ("scalp.prest: unknown key", "Did you mean preset?")),
        (
            {"risk": {"sizing": {"max_heat": 5}}},
            ("scalp.risk.sizing.max_heat: unknown key", "Did you mean max_heat_pct?"),
        ),
        (
            {"confluence": {"regime": {"zzz": 1}}},
            ("scalp.confluence.regime.zzz: unknown key", "Allowed: risk_off_long"),
        ),
        ({"signals_only": "yes"}, ("scalp.signals_only = 'yes'", "boolean")),
        ({"signals_only": 1}, ("scalp.signals_only = 1", "boolean")),
        ({"risk": {"min_rr_ratio": "2"}}, ("scalp.risk.min_rr_ratio = '2'", "number")),
        ({"risk": {"min_rr_ratio": True}}, ("scalp.risk.min_rr_ratio = True", "number")),
        ({"risk": {"min_rr_ratio": None}}, ("scalp.risk.min_rr_ratio = None", "number")),
        (
            {"breakers": {"max_concurrent_positions": 2.5}},
            ("scalp.breakers.max_concurrent_positions = 2.5", "integer"),
        ),
        ({"risk": 5}, ("scalp.risk = 5",)),
        ({"preset": "best"}, ("scalp.preset = 'best'", "'specification'", "'measured'")),
        ({"preset": ["measured"]}, ("scalp.preset = ['measured']", "'specification'")),
        (
            {"breakers": {"max_daily_drawdown_pct": 50.1}},
            ("scalp.breakers.max_daily_drawdown_pct = 50.1", "less than or equal to 50"),
        ),
        (
            {"breakers": {"max_daily_drawdown_pct": 0}},
            ("scalp.breakers.max_daily_drawdown_pct = 0", "greater than 0"),
        ),
        (
            {"breakers": {"low_quality_hours": [4, 24]}},
            ("scalp.breakers.low_quality_hours.1 = 24", "less than or equal to 23"),
        ),
        (
            {"confluence": {"weights": {"technical": 0.5}}},
            ("scalp.confluence.weights", "sum to 1", "1.15"),
        ),
        (
            {"confluence": {"medium_threshold": 85}},
            ("scalp.confluence", "medium_threshold 85", "high_threshold 80"),
        ),
        (
            {"confluence": {"min_coverage": 0.7}},
            ("scalp.confluence", "min_coverage 0.7", "min_coverage_high 0.6"),
        ),
        (
            {"confluence": {"medium_threshold": 60}},
            ("confluence.medium_threshold 60", "risk.sizing.score_tiers", "65"),
        ),
        (
            {"breakers": {"macro_sp500_danger_pct": -3}},
            ("scalp.breakers", "macro_sp500_danger_pct must not be below"),
        ),
        (
            {"breakers": {"correlation_cluster": 0.9}},
            ("scalp.breakers", "correlation_cluster must not be above"),
        ),
        ({"scanner": {"min_pairs": 50}}, ("scalp.scanner", "min_pairs")),
        ({"orderflow": {"weights": {"trade_flow": 0.5}}}, ("scalp.orderflow.weights", "1.2")),
    ],
)
def test_a_refusal_names_key_value_and_what_is_allowed(section, said):
    message = refusal(section)
    for part in said:
        assert part in message


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_no_number_that_is_none(number):
    assert "scalp.risk.atr_multiplier" in refusal({"risk": {"atr_multiplier": number}})


def test_a_value_json_cannot_express_is_refused():
    assert "scalp" in refusal({"preset": object()})


@pytest.mark.parametrize("section", [None, [], "measured", 5, True])
def test_the_section_is_an_object(section):
    with pytest.raises(ConfigError, match=r"scalp = .*must be an object"):
        load_settings({"scalp": section})


def test_every_problem_is_told_at_once():
    message = refusal(
        {
            "signals_onyl": True,
            "risk": {"atr_multiplier": 0},
            "breakers": {"max_signals_per_hour": 0},
            "confluence": {"weights": {"technical": 0.9}},
        }
    )
    lines = message.splitlines()[1:]
    starts = ("scalp.signals_onyl", "scalp.risk.atr", "scalp.breakers.max", "scalp.confluence.w")
    assert len(lines) == len(starts)
    assert all(any(line.strip().startswith(start) for line in lines) for start in starts)


# ----------------------------------------------------------------------------------- environment


@pytest.mark.parametrize(
    "name",
    [
        "FREQTRADE_SCALP__RISK__MIN_RR_RATIO",
        "FREQTRADE__SCALP_RISK__MIN_RR_RATIO",
        "FREQTRADE_SCALP_RISK_MIN_RR_RATIO",
        "FREQTRADE___SCALP__RISK__MIN_RR_RATIO",
    ],
)
def test_a_misspelt_prefix_is_refused(name):
    message = refusal(environment={name: "3"})
    assert name in message
    assert "FREQTRADE__SCALP__" in message


def test_other_variables_are_left_alone():
    others = {"PATH": "/bin", "FREQTRADE__STRATEGY": "x", "SCALP_HOME": "y", "FREQTRADE": "z"}
    assert load(environment=others) == Settings()


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("MAX_CONCURRENT_POSITIONS", "3", 3),
        ("MAX_CONCURRENT_POSITIONS", "3.0", 3),
        ("MAX_DAILY_DRAWDOWN_PCT", "2.5", 2.5),
        ("MIN_RR_RATIO", "3", 3.0),
        ("RISK_PER_TRADE_PCT", "0.75", 0.75),
        ("SIGNAL_EXPIRY_MINUTES", "10", 10),
    ],
)
def test_the_specified_variables_are_understood(name, text, value):
    assert read(load(environment={name: text}), PLAIN_VARIABLES[name]) == value


def test_an_empty_plain_variable_says_nothing():
    assert load(environment={"MIN_RR_RATIO": ""}) == Settings()


@pytest.mark.parametrize("text", ["five", "5 %", "nan", "inf"])
def test_a_plain_variable_is_a_number(text):
    message = refusal(environment={"MAX_DAILY_DRAWDOWN_PCT": text})
    assert "MAX_DAILY_DRAWDOWN_PCT" in message


def test_a_refusal_names_the_plain_variable_that_set_it():
    message = refusal(environment={"MAX_DAILY_DRAWDOWN_PCT": "500"})
    assert "scalp.breakers.max_daily_drawdown_pct = 500" in message
    assert "MAX_DAILY_DRAWDOWN_PCT" in message


def test_precedence(host_config):
    """Preset < config file < plain variable < the section's own variable."""
    key, own = "risk.min_rr_ratio", "FREQTRADE__SCALP__RISK__MIN_RR_RATIO"
    assert read(load_settings(host_config({}), {}), key) == 2.0
    file = {"risk": {"min_rr_ratio": 2.1}}
    assert read(load_settings(host_config(file), {}), key) == 2.1
    plain = {"MIN_RR_RATIO": "2.2"}
    assert read(load_settings(host_config(file), plain), key) == 2.2
    config = host_config(file, **{own: "2.3"})
    assert read(load_settings(config, plain | {own: "2.3"}), key) == 2.3


def test_a_preset_is_weaker_than_the_config_file():
    assert load({"preset": "measured"}).risk.min_net_rr == PRESETS["measured"]["risk"]["min_net_rr"]
    chosen = load({"preset": "measured", "risk": {"min_net_rr": 1.1, "sl_max_pct": 2.5}})
    assert (chosen.risk.min_net_rr, chosen.risk.sl_max_pct) == (1.1, 2.5)
    assert load().risk.min_net_rr == 0


def test_the_host_reads_our_variables(host_config):
    environment = {
        "FREQTRADE__SCALP__PRESET": "measured",
        "FREQTRADE__SCALP__SIGNALS_ONLY": "true",
        "FREQTRADE__SCALP__RISK__SIZING__MAX_LEVERAGE": "3",
        "FREQTRADE__SCALP__BREAKERS__LOW_QUALITY_HOURS": "[1, 2]",
        "FREQTRADE__SCALP__LOWER_TIMEFRAMES": '["5m"]',
    }
    settings = load_settings(host_config({"risk": {"sl_max_pct": 2.5}}, **environment), environment)
    assert settings.preset == "measured"
    assert settings.signals_only is True
    assert settings.risk.sizing.max_leverage == 3.0
    assert settings.risk.sl_max_pct == 2.5
    assert settings.breakers.low_quality_hours == (1, 2)
    assert settings.lower_timeframes == ("5m",)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("FREQTRADE__SCALP__RISK__MIN_RR_RATO", "3", "scalp.risk.min_rr_rato: unknown key"),
        ("FREQTRADE__SCALP__RISK__MIN_RR_RATIO", "abc", "scalp.risk.min_rr_ratio = 'abc'"),
        ("FREQTRADE__SCALP__RISK__MIN_RR_RATIO", "101", "scalp.risk.min_rr_ratio = 101"),
        ("FREQTRADE__SCALP__BREAKERS__LOW_QUALITY_HOURS", "[4, 25]", "low_quality_hours.1 = 25"),
        ("FREQTRADE__SCALP__CONFLUENCE__WEIGHTS__TECHNICAL", "0.5", "sum to 1"),
    ],
)
def test_a_refusal_names_the_variable_that_set_it(host_config, name, text, said):
    config = host_config({}, **{name: text})
    with pytest.raises(ConfigError) as caught:
        load_settings(config, {name: text})
    assert said in str(caught.value)
    assert name in str(caught.value)


# --------------------------------------------------------------------------- overrides and hashes


def test_overrides_replace_only_what_they_name():
    settings = load({"preset": "measured", "risk": {"sl_max_pct": 2.5}})
    changed = with_overrides(settings, {"risk.sizing.max_leverage": 3, "entry.min_atr_pct": 0.5})
    assert (changed.risk.sizing.max_leverage, changed.entry.min_atr_pct) == (3.0, 0.5)
    assert (changed.preset, changed.risk.sl_max_pct, changed.risk.min_net_rr) == (
        "measured",
        2.5,
        1.5,
    )
    assert settings.risk.sizing.max_leverage == 5.0
    assert with_overrides(settings, {}) == settings


@pytest.mark.parametrize("override", [{"risk.nope": 1}, {"entry.min_atr_pct": -1}, {"nope": 1}])
def test_overrides_are_validated(override):
    with pytest.raises(ConfigError):
        with_overrides(Settings(), override)


def test_the_hash_names_the_settings_whatever_the_order():
    one = load({"risk": {"sl_max_pct": 2.5, "fee_pct": 0.07}, "signals_only": False})
    other = load({"signals_only": False, "risk": {"fee_pct": 0.07, "sl_max_pct": 2.5}})
    assert settings_hash(one) == settings_hash(other)
    assert re.fullmatch("[0-9a-f]{12}", settings_hash(one))
    assert settings_hash(load()) == settings_hash(Settings())


@pytest.mark.parametrize(
    "override",
    [
        {"signals_only": True},
        {"lower_timeframes": ["5m"]},
        {"breakers.low_quality_hours": [4]},
        {"risk.ladder.max_hold_candles": 9},
        {"confluence.regime.risk_on_long": 1.11},
        {"sentiment.social_mean_days": 8},
        {"technical.rsi.period": 15},
    ],
)
def test_the_hash_changes_with_every_setting(override):
    changed = with_overrides(Settings(), override)
    assert settings_hash(changed) != settings_hash(Settings())


def test_every_key_is_part_of_what_is_hashed():
    def leaves(group, prefix=""):
        for name, value in group.items():
            if isinstance(value, dict) and value:
                yield from leaves(value, f"{prefix}{name}.")
            else:
                yield f"{prefix}{name}"

    assert set(leaves(Settings().model_dump(mode="json"))) == set(KEYS)


def test_loading_changes_neither_config_nor_presets():
    config = {"scalp": {"preset": "measured", "risk": {"sl_max_pct": 2.5}}}
    before = json.dumps([config, PRESETS], sort_keys=True)
    load_settings(config, {"MIN_RR_RATIO": "3"})
    assert json.dumps([config, PRESETS], sort_keys=True) == before

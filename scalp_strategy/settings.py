"""Every tunable of the engine, typed: the `scalp` section of the Freqtrade config.

Precedence, weakest first: default < preset < config file < environment < the strategy's parameter
file < hyperopt's current epoch. The last two act through `with_overrides`.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Final, Literal, Self

from pydantic import BaseModel, ValidationError, model_validator

from scalp_strategy.errors import ConfigError
from scalp_strategy.setting_groups.base import Group, setting
from scalp_strategy.setting_groups.base_rate import BaseRateSettings
from scalp_strategy.setting_groups.breakers import BreakerSettings
from scalp_strategy.setting_groups.confluence import ConfluenceSettings, EntrySettings
from scalp_strategy.setting_groups.journal import JournalSettings
from scalp_strategy.setting_groups.onchain import OnChainSettings
from scalp_strategy.setting_groups.orderflow import OrderFlowSettings
from scalp_strategy.setting_groups.report import LossSettings, ReportSettings
from scalp_strategy.setting_groups.risk import RiskSettings
from scalp_strategy.setting_groups.scanner import ScannerSettings
from scalp_strategy.setting_groups.sentiment import SentimentSettings
from scalp_strategy.setting_groups.sidecar import SidecarSettings
from scalp_strategy.setting_groups.sources import SourcesSettings
from scalp_strategy.setting_groups.technical import TechnicalSettings
from scalp_strategy.setting_groups.telegram import TelegramSettings

SECTION: Final = "scalp"
ENVIRONMENT_PREFIX: Final = "FREQTRADE__SCALP__"
_NEAR_RATIO: Final = 0.75  # how like our section's name a name must be to be taken for a slip

# What a preset changes of the defaults. `specification` is every number as specified.
PRESETS: Final[dict[str, dict[str, Any]]] = {
    "specification": {},
    "measured": {"risk": {"min_net_rr": 1.5}},
}

# The specification's own environment names (its section 1.3) and the settings they mean.
PLAIN_VARIABLES: Final = {
    "MAX_CONCURRENT_POSITIONS": "breakers.max_concurrent_positions",
    "MAX_DAILY_DRAWDOWN_PCT": "breakers.max_daily_drawdown_pct",
    "MIN_RR_RATIO": "risk.min_rr_ratio",
    "RISK_PER_TRADE_PCT": "risk.sizing.risk_per_trade_pct",
    "SIGNAL_EXPIRY_MINUTES": "entry.signal_expiry_minutes",
    "TELEGRAM_ADMIN_ID": "telegram.admin_ids",
}
# Of these, those that hold a list, separated by commas; all others hold a number.
_LISTS: Final = frozenset({"TELEGRAM_ADMIN_ID"})


class Settings(Group):
    """The `scalp` section of the Freqtrade config."""

    preset: Literal["specification", "measured"] = setting(
        "specification", "Which set of defaults the other keys start from."
    )
    signals_only: bool = setting(
        False, "Decide, log and announce every signal, but leave the entry columns empty."
    )
    lower_timeframes: tuple[Literal["5m", "1m"], ...] = setting(
        ("5m", "1m"),
        "Frames below 15m that the multi-timeframe check uses; each costs a request per pair and "
        "candle of its own length while no sidecar serves it.",
    )
    technical: TechnicalSettings = TechnicalSettings()
    confluence: ConfluenceSettings = ConfluenceSettings()
    entry: EntrySettings = EntrySettings()
    risk: RiskSettings = RiskSettings()
    breakers: BreakerSettings = BreakerSettings()
    report: ReportSettings = ReportSettings()
    loss: LossSettings = LossSettings()
    scanner: ScannerSettings = ScannerSettings()
    orderflow: OrderFlowSettings = OrderFlowSettings()
    onchain: OnChainSettings = OnChainSettings()
    sentiment: SentimentSettings = SentimentSettings()
    base_rate: BaseRateSettings = BaseRateSettings()
    sources: SourcesSettings = SourcesSettings()
    journal: JournalSettings = JournalSettings()
    telegram: TelegramSettings = TelegramSettings()
    sidecar: SidecarSettings = SidecarSettings()

    @model_validator(mode="after")
    def _every_tier_has_a_size(self) -> Self:
        lowest = self.risk.sizing.score_tiers[-1][0]
        if self.confluence.medium_threshold < lowest:
            raise ValueError(
                f"confluence.medium_threshold {self.confluence.medium_threshold:g} is below the "
                f"lowest score that risk.sizing.score_tiers sizes, {lowest:g}"
            )
        return self


def load_settings(
    config: Mapping[str, Any] | None = None, environment: Mapping[str, str] | None = None
) -> Settings:
    """Read the settings from a Freqtrade config that already holds its own variables.

    Parameters
    ----------
    config
        Freqtrade's configuration; `FREQTRADE__SCALP__*` variables are merged into it by the host.
    environment
        Variables, to map the specification's plain names and to say which variable set a value.

    Raises
    ------
    ConfigError
        One line for each key that is unknown, of the wrong type or out of range.

    Examples
    --------
    >>> load_settings({"scalp": {"risk": {"min_rr_ratio": 2.5}}}).risk.min_rr_ratio
    2.5
    """
    variables = environment or {}
    _refuse_misspelt_names(config or {}, variables)
    section = (config or {}).get(SECTION, {})
    if not isinstance(section, Mapping):
        raise ConfigError(f"{SECTION} = {section!r}: must be an object of settings")
    preset = section.get("preset", "specification")
    start = PRESETS.get(preset, {}) if isinstance(preset, str) else {}
    values = _merge(_merge(start, section), _plain_values(variables))
    return _validated(values, variables)


def with_overrides(settings: Settings, overrides: Mapping[str, Any]) -> Settings:
    """Return settings with dotted keys replaced, validated again.

    Raises
    ------
    ConfigError
        As `load_settings`.
    """
    values = settings.model_dump(mode="json")
    for path, value in overrides.items():
        values = _merge(values, _nested(path, value))
    return _validated(values, {})


def settings_hash(settings: Settings) -> str:
    """Return twelve hexadecimal digits that name these settings in signals and reports."""
    text = json.dumps(settings.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of the section, for editors and for `config/scalp.schema.json`."""
    return Settings.model_json_schema()


def _validated(values: Mapping[str, Any], environment: Mapping[str, str]) -> Settings:
    try:
        text = json.dumps(values)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{SECTION}: holds a value that JSON cannot express: {error}") from error
    try:
        return Settings.model_validate_json(text, strict=True)
    except ValidationError as error:
        raise explained(error, environment) from None


def explained(
    error: ValidationError,
    environment: Mapping[str, str] | None = None,
    below: tuple[str, ...] = (),
) -> ConfigError:
    """Return the error for a user: a line per problem that names key, value and what is allowed.

    `below` is the path of the group that was validated, empty for the whole section.
    """
    lines = [_explain(problem, environment or {}, below) for problem in error.errors()]
    return ConfigError("invalid settings:\n  " + "\n  ".join(lines))


def _explain(problem: Any, environment: Mapping[str, str], below: tuple[str, ...]) -> str:
    path = [*below, *(str(part) for part in problem["loc"])]
    key = ".".join((SECTION, *path))
    names = _variables_behind(path, environment)
    origin = f" (set by {', '.join(names)})" if names else ""
    if problem["type"] == "extra_forbidden":
        return f"{key}: unknown key{origin}.{_suggestion(path)}"
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "value_error":
        return f"{key}: {message}{origin}"
    return f"{key} = {problem['input']!r}: {message}{origin}"


def _variables_behind(path: list[str], environment: Mapping[str, str]) -> list[str]:
    """Return the variables that set a key, a part of it, or the group it names."""
    known = {name: tuple(key.split(".")) for name, key in PLAIN_VARIABLES.items()}
    known |= {
        name: tuple(name.removeprefix(ENVIRONMENT_PREFIX).lower().split("__"))
        for name in environment
        if name.startswith(ENVIRONMENT_PREFIX)
    }
    return sorted(
        name
        for name, parts in known.items()
        if name in environment and all(a == b for a, b in zip(parts, path, strict=False))
    )


def _suggestion(path: list[str]) -> str:
    group: type[BaseModel] = Settings
    for part in path[:-1]:
        field = group.model_fields.get(part)
        annotation = field.annotation if field else None
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return ""
        group = annotation
    known = sorted(group.model_fields)
    near = get_close_matches(path[-1], known, n=1)
    return f" Did you mean {near[0]}?" if near else f" Allowed: {', '.join(known)}"


def _plain_values(environment: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, path in PLAIN_VARIABLES.items():
        own = ENVIRONMENT_PREFIX + path.replace(".", "__").upper()
        if environment.get(name) and own not in environment:
            text = environment[name]
            value = text if name in _LISTS else _number(name, text)
            values = _merge(values, _nested(path, value))
    return values


def _number(name: str, text: str) -> int | float:
    try:
        value = float(text)
    except ValueError:
        raise ConfigError(f"{name} = {text!r}: must be a number") from None
    return int(value) if value.is_integer() else value


def _refuse_misspelt_names(config: Mapping[str, Any], environment: Mapping[str, str]) -> None:
    """Refuse what was meant for us and would silently be nobody's."""
    for name in config:
        if name != SECTION and _is_near(name):
            raise ConfigError(f"{name}: unknown section. Did you mean {SECTION}?")
    for name in environment:
        parts = re.fullmatch(r"FREQTRADE_+([A-Za-z]+?)_.*", name)
        if parts and _is_near(parts[1]) and not name.startswith(ENVIRONMENT_PREFIX):
            raise ConfigError(f"{name}: unknown variable. Names start with {ENVIRONMENT_PREFIX}")


def _is_near(name: str) -> bool:
    return bool(get_close_matches(name.lower(), [SECTION], cutoff=_NEAR_RATIO))


def _nested(path: str, value: Any) -> dict[str, Any]:
    for part in reversed(path.split(".")):
        value = {part: value}
    nested: dict[str, Any] = value
    return nested


def _merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        both = isinstance(below, Mapping) and isinstance(value, Mapping)
        merged[key] = _merge(below, value) if both and isinstance(below, Mapping) else value
    return merged


def iter_keys(group: type[BaseModel] = Settings, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every dotted key with its pydantic field, depth first."""
    for name, field in group.model_fields.items():
        annotation = field.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from iter_keys(annotation, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", field

"""From the settings of a layer to the rules by which its components combine."""

from collections.abc import Callable
from typing import Final

from scalp_strategy.contract import ComponentRule, LayerRules
from scalp_strategy.setting_groups.onchain import OnChainSettings
from scalp_strategy.setting_groups.orderflow import OrderFlowSettings
from scalp_strategy.setting_groups.sentiment import SentimentSettings
from scalp_strategy.settings import Settings

VANISHING: Final = "vanishing"  # the flag of a pair whose large orders come and go untraded
_ALARMS: Final = ("macro=DANGER", "macro=EXTREME")
_HOUR_S: Final = 3_600
_LEFT_OUT: Final = 2  # renewals
_MS_PER_S: Final = 1_000


def orderflow_rules(settings: OrderFlowSettings) -> LayerRules:
    """Return weights and freshness of the order-flow components, and what vanishing orders cost."""
    fast = (settings.fast_freshness_s, settings.fast_freshness)
    tables = {
        "open_interest": (settings.open_interest_freshness_s, settings.open_interest_freshness),
        "funding_rate": (settings.funding_freshness_s, settings.funding_freshness),
    }
    components = tuple(
        ComponentRule(name, getattr(settings.weights, name), *tables.get(name, fast))
        for name in type(settings.weights).model_fields
    )
    return LayerRules("orderflow", components, {VANISHING: settings.vanishing_penalty})


def onchain_rules(settings: OnChainSettings) -> LayerRules:
    """Return weights and freshness of the on-chain components."""
    components = tuple(
        ComponentRule(
            name, getattr(settings.weights, name), settings.freshness_s, settings.freshness
        )
        for name in type(settings.weights).model_fields
    )
    return LayerRules("onchain", components)


def sentiment_rules(settings: SentimentSettings, renew_s: float) -> LayerRules:
    """Return weights and freshness of the sentiment components, and how long their states last.

    The sidecar gives every row again after `renew_s` at the latest. Regime and macro state of a row
    that was left out twice count no more, however slowly its scores fade: a boost must not outlive
    who gave it. An alarm counts until an hour after it became known, and what it is made of was
    then as old as `macro_now_max_age_s` at most. Nobody ends it when the sidecar is gone, so it
    ends by itself.
    """
    tables = {
        "fear_greed": (settings.fear_greed_freshness_s, settings.fear_greed_freshness),
        "social_sentiment": (settings.social_freshness_s, settings.social_freshness),
        "market_regime": (settings.regime_freshness_s, settings.regime_freshness),
        "macro_correlation": (settings.macro_freshness_s, settings.macro_freshness),
    }
    components = tuple(
        ComponentRule(name, getattr(settings.weights, name), *tables[name])
        for name in type(settings.weights).model_fields
    )
    alarm_s = _HOUR_S + settings.macro_now_max_age_s
    return LayerRules(
        "sentiment",
        components,
        state_ages_s=dict.fromkeys(_ALARMS, alarm_s),
        state_renewal_s=_LEFT_OUT * renew_s,
    )


# Every layer that is made of components, in the order of the report.
LAYER_RULES: Final[tuple[Callable[[Settings], LayerRules], ...]] = (
    lambda settings: orderflow_rules(settings.orderflow),
    lambda settings: onchain_rules(settings.onchain),
    lambda settings: sentiment_rules(settings.sentiment, settings.sidecar.slow_renew_s),
)


def rules_of(settings: Settings) -> tuple[LayerRules, ...]:
    """Return the rules of every layer that is made of components."""
    return tuple(rules(settings) for rules in LAYER_RULES)


def horizon_ms(rules: LayerRules, settings: Settings) -> int:
    """Return for how long a row that is not renewed is remembered: by all readers alike.

    The longest of the ages at which a component's reliability falls, and of the time for which
    opposition counts.
    """
    ages = (age for rule in rules.components for age in rule.freshness_s)
    longest = max(settings.confluence.opposition_max_age_s, *ages, 0)
    return int(longest * _MS_PER_S)

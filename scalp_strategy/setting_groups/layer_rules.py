"""From the settings of a layer to the rules by which its components combine."""

from collections.abc import Callable
from typing import Final

from scalp_strategy.contract import ComponentRule, LayerRules
from scalp_strategy.setting_groups.weights import Weights
from scalp_strategy.settings import Settings

_Freshness = tuple[tuple[float, ...], tuple[float, ...]]

VANISHING: Final = "vanishing"  # the flag of a pair whose large orders come and go untraded
_ALARMS: Final = ("macro=DANGER", "macro=EXTREME")
_HOUR_S: Final = 3_600
_LEFT_OUT: Final = 2  # renewals


# Evidence that is of the whole market by nature; all else is known of a pair's own coin only.
_MARKET_WIDE: Final = frozenset(
    {"stablecoin_flow", "fear_greed", "market_regime", "macro_correlation"}
)


def orderflow_rules(settings: Settings) -> LayerRules:
    """Return weights and freshness of the order-flow components, and what vanishing orders cost."""
    own = settings.orderflow
    fast = (own.fast_freshness_s, own.fast_freshness)
    tables = {
        "open_interest": (own.open_interest_freshness_s, own.open_interest_freshness),
        "funding_rate": (own.funding_freshness_s, own.funding_freshness),
    }
    return LayerRules(
        "orderflow",
        _components(own.weights, lambda name: tables.get(name, fast)),
        settings.confluence.opposition_max_age_s,
        {VANISHING: own.vanishing_penalty},
    )


def onchain_rules(settings: Settings) -> LayerRules:
    """Return weights and freshness of the on-chain components."""
    own = settings.onchain
    return LayerRules(
        "onchain",
        _components(own.weights, lambda _name: (own.freshness_s, own.freshness)),
        settings.confluence.opposition_max_age_s,
    )


def sentiment_rules(settings: Settings) -> LayerRules:
    """Return weights and freshness of the sentiment components, and how long their states last.

    The sidecar gives every row again after `slow_renew_s` at the latest. Regime and macro state of
    a row that was left out twice count no more, however slowly its scores fade: a boost must not
    outlive who gave it. An alarm counts until an hour after it became known, and what it is made of
    was then as old as `macro_now_max_age_s` at most. Nobody ends it when the sidecar is gone, so it
    ends by itself.
    """
    own = settings.sentiment
    tables = {
        "fear_greed": (own.fear_greed_freshness_s, own.fear_greed_freshness),
        "social_sentiment": (own.social_freshness_s, own.social_freshness),
        "market_regime": (own.regime_freshness_s, own.regime_freshness),
        "macro_correlation": (own.macro_freshness_s, own.macro_freshness),
    }
    return LayerRules(
        "sentiment",
        _components(own.weights, tables.__getitem__),
        settings.confluence.opposition_max_age_s,
        state_ages_s=dict.fromkeys(_ALARMS, float(_HOUR_S + own.macro_now_max_age_s)),
        state_renewal_s=_LEFT_OUT * settings.sidecar.slow_renew_s,
    )


# Every layer that is made of components, in the order of the report.
LAYER_RULES: Final[tuple[Callable[[Settings], LayerRules], ...]] = (
    orderflow_rules,
    onchain_rules,
    sentiment_rules,
)


def rules_of(settings: Settings) -> tuple[LayerRules, ...]:
    """Return the rules of every layer that is made of components."""
    return tuple(rules(settings) for rules in LAYER_RULES)


def _components(weights: Weights, table: Callable[[str], _Freshness]) -> tuple[ComponentRule, ...]:
    return tuple(
        ComponentRule(name, getattr(weights, name), *table(name), name in _MARKET_WIDE)
        for name in type(weights).model_fields
    )

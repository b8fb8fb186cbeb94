"""From the settings of a layer to the rules by which its components combine."""

from typing import Final

from scalp_strategy.contract import ComponentRule, LayerRules
from scalp_strategy.setting_groups.orderflow import OrderFlowSettings

VANISHING: Final = "vanishing"  # the flag of a pair whose large orders come and go untraded


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

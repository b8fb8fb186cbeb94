"""What both processes share: names, components of evidence, how they combine, where they lie.

Pure: no I/O, no clock.
"""

from scalp_strategy.contract.alarms import alarm_closes, leaps, passes
from scalp_strategy.contract.combine import (
    ComponentRule,
    LayerColumns,
    LayerRules,
    Picked,
    combine,
    combine_columns,
)
from scalp_strategy.contract.component import (
    MARKET_WIDE,
    SCHEMA_VERSION,
    Component,
    LayerScore,
    from_wire,
    to_wire,
)
from scalp_strategy.contract.names import (
    CANDLE_MS,
    COMPONENT_LAYERS,
    LAYERS,
    LONG,
    NEUTRAL,
    SHORT,
    SIDES,
    TIER_HIGH,
    TIER_MEDIUM,
    TIER_NAMES,
    TIER_NONE,
    Side,
    layer_column,
    side_of,
    sign_of,
)

__all__ = [
    "CANDLE_MS",
    "COMPONENT_LAYERS",
    "LAYERS",
    "LONG",
    "MARKET_WIDE",
    "NEUTRAL",
    "SCHEMA_VERSION",
    "SHORT",
    "SIDES",
    "TIER_HIGH",
    "TIER_MEDIUM",
    "TIER_NAMES",
    "TIER_NONE",
    "Component",
    "ComponentRule",
    "LayerColumns",
    "LayerRules",
    "LayerScore",
    "Picked",
    "Side",
    "alarm_closes",
    "combine",
    "combine_columns",
    "from_wire",
    "layer_column",
    "leaps",
    "passes",
    "side_of",
    "sign_of",
    "to_wire",
]

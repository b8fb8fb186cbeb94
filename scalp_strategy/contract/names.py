"""What every room of the engine means by side, layer and tier (pure, no I/O)."""

from typing import Final, Literal

Side = Literal["long", "short"]
SIDES: Final[tuple[Side, Side]] = ("long", "short")

# Column codes: numeric, since FreqUI plots numbers only.
LONG: Final = 1
SHORT: Final = -1
NEUTRAL: Final = 0

TIER_NONE: Final = 0
TIER_MEDIUM: Final = 1
TIER_HIGH: Final = 2
TIER_NAMES: Final = {TIER_NONE: "NONE", TIER_MEDIUM: "MEDIUM", TIER_HIGH: "HIGH"}

CANDLE_MS: Final = 900_000  # the candles that are traded

# The five layers, in the order of the report. Each gives `<layer>_long`, `<layer>_short`
# (0..100, NaN = unknown) and `<layer>_reliability` (0..1); the technical layer's scores are
# `ta_long` and `ta_short`.
LAYERS: Final = ("technical", "orderflow", "onchain", "sentiment", "base_rate")

# Of these, the layers that the sidecar makes of components, each with an age of its own.
COMPONENT_LAYERS: Final = ("orderflow", "onchain", "sentiment")


def sign_of(side: Side) -> int:
    """Return +1 for a long and -1 for a short."""
    return LONG if side == "long" else SHORT


def side_of(sign: int) -> Side:
    """Return the side of a direction code; the inverse of `sign_of`."""
    return "long" if sign > 0 else "short"


def layer_column(layer: str, field: str) -> str:
    """Return the column that holds a layer's `long`, `short` or `reliability`."""
    prefix = "ta" if layer == "technical" and field != "reliability" else layer
    return f"{prefix}_{field}"

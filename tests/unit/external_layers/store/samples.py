"""Components for the tests of the stores."""

from collections.abc import Iterable
from math import isnan
from struct import pack
from typing import Any

from scalp_strategy.contract.component import Component

NOON_MS = 1_767_268_800_000  # 2026-01-01 12:00 UTC, a 15m close
BTC, ETH = "BTC/USDT:USDT", "ETH/USDT:USDT"


def component(available_ms: int = NOON_MS, **changes: Any) -> Component:
    """Return a component that differs from a plain one by `changes`."""
    fields: dict[str, Any] = {
        "layer": "orderflow",
        "name": "trade_flow",
        "pair": BTC,
        "long": 62.5,
        "short": 37.5,
        "observed_at_ms": available_ms - 40,
        "available_at_ms": available_ms,
        "reason": "buyers 62 %",
    }
    return Component(**{**fields, **changes})


def bits(components: Iterable[Component]) -> list[tuple[Any, ...]]:
    """Return what each component holds, the scores as bytes: NaN equals NaN, -0.0 is not 0.0."""
    return [
        (
            one.layer,
            one.name,
            one.pair,
            pack("d", one.long),
            pack("d", one.short),
            one.observed_at_ms,
            one.available_at_ms,
            one.reason,
            one.flags,
            one.version,
        )
        for one in components
    ]


def is_unknown(one: Component) -> bool:
    """Return whether both scores are unknown."""
    return isnan(one.long) and isnan(one.short)

"""What happens outside the market in the demo, and what it is worth to a long at least.

The replay market answers for the outside world too. Left alone that world is calm here; the script
lets it speak for one pair, so that every layer has something to say.
"""

from datetime import datetime, timedelta
from typing import Any, Final

from scalp_strategy.demo.market import Market, base_of

# Fewer seconds of trades than usual: the flow is known soon after the sidecar has started.
WINDOW_S: Final = 30
HEARD_S: Final = 45.0  # before a close; a full window and the sidecar's last two looks at it
SECTION: Final[dict[str, Any]] = {
    "orderflow": {"window_s": WINDOW_S, "min_trades": 5},
    # Every pair of this small market is worth scanning.
    "scanner": {
        "min_pairs": 1,
        "min_atr_pct": 0,
        "min_change_pct": 0,
        "min_liquidity_score": 0,
        "min_opportunity_score": 0,
    },
    "sidecar": {"timeout_s": 5},
}
# Of the keyed sources only this one is on: any key opens its replayed twin.
KEYS: Final = {"WHALE_ALERT_API_KEY": "any-key-opens-the-replayed-service"}
# What the script gives a long at least; the search counts on it, in the layers' own columns.
SUPPORT: Final = {
    "orderflow_long": 62.0,
    "orderflow_short": 38.0,
    "orderflow_reliability": 0.8,
    "onchain_long": 64.0,
    "onchain_short": 36.0,
    "onchain_reliability": 0.8,
}
_TONE: Final = 6.0
_BUY_SHARE: Final = 0.97  # of the trades; by volume less, when a large one is sold
_PRESSED_BEFORE: Final = timedelta(minutes=5)
_PRESSED_MINUTES: Final = 60.0
_WITHDRAWN_USD: Final = (25e6, 12e6)
_DOLLARS_USD: Final = 15e6


def set_scene(market: Market, pair: str, close: datetime) -> None:
    """Calm the outside world, let the press be friendly and buyers press until after the close."""
    market.script(kind="calm")
    market.script(kind="tone", value=_TONE)
    market.press(pair, _BUY_SHARE, close - _PRESSED_BEFORE, _PRESSED_MINUTES)


def let_whales_move(market: Market, pair: str) -> None:
    """Let whales take the pair's token from exchanges, and bring dollars to them, now."""
    moves = [(base_of(pair), usd, "withdrawal") for usd in _WITHDRAWN_USD]
    for token, usd, direction in [*moves, ("USDT", _DOLLARS_USD, "deposit")]:
        market.script(kind="whale", token=token, usd=usd, direction=direction)

"""What all answers are made from: the market, its clock, and what has been set."""

from math import nan
from typing import Final

import numpy as np

from external_layers.replay.market import ReplayMarket
from external_layers.replay.minutes import MINUTE_MS
from external_layers.replay.outside.script import Script
from external_layers.sources.tokens import STABLECOINS
from external_layers.tokens import token_of

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 86_400_000
_PRICES: Final = 20_000  # kept
_LOOKED_BACK: Final = 5  # minutes: a thin symbol does not trade in each


class Scene:
    """The generated market as the outside world sees it.

    What happens outside is a function of seed and market time, as the market itself is; all times
    given and returned are of the wall clock.

    Parameters
    ----------
    market
        The market.
    script
        What has been set.
    """

    def __init__(self, market: ReplayMarket, script: Script) -> None:
        self.market = market
        self.script = script
        self.seed = market.source.seed
        self.tokens: dict[str, tuple[str, float]] = {}  # ticker -> symbol, units of the token in it
        for name, kinds in market.source.symbols.items():
            base = next(iter(kinds.values())).base
            named = token_of(base)
            self.tokens.setdefault(named.ticker, (name, named.bundle))
        self._prices: dict[tuple[str, int, int, int], float] = {}

    @property
    def now_ms(self) -> int:
        """Wall time."""
        return self.market.now_ms()

    @property
    def shift_ms(self) -> int:
        """Market time minus wall time."""
        return self.market.shift_minutes * MINUTE_MS

    @property
    def version(self) -> tuple[int, int, bool]:
        """What changes whenever the past could look different."""
        return self.market.shift_minutes, self.market.revision, self.script.is_calm

    def market_day(self, wall_ms: int) -> int:
        """Return the day of market time in which a UTC day of the wall clock begins."""
        return (wall_ms // DAY_MS * DAY_MS + self.shift_ms) // DAY_MS

    def price(self, token: str, at_ms: int) -> float:
        """Return the US dollars of a token at the end of the last whole minute; NaN unknown."""
        if token in STABLECOINS:
            return 1.0
        if token not in self.tokens:
            return nan
        minute = at_ms // MINUTE_MS
        key = (token, minute, self.market.shift_minutes, self.market.revision)
        if key not in self._prices:
            if len(self._prices) > _PRICES:
                self._prices.clear()
            self._prices[key] = self._close(token, minute)
        return self._prices[key]

    def change(self, token: str, span_ms: int, at_ms: int) -> float:
        """Return by which share a token's price has changed over a span; 0 when unknown."""
        before, now = self.price(token, at_ms - span_ms), self.price(token, at_ms)
        change = now / before - 1.0
        return change if np.isfinite(change) else 0.0

    def _close(self, token: str, minute: int) -> float:
        name, bundle = self.tokens[token]
        kinds = self.market.source.symbols[name]
        kind = "futures" if "futures" in kinds else next(iter(kinds))
        found = self.market.minutes(kind, name, minute - _LOOKED_BACK, minute)
        if not len(found):
            return nan
        return int(found.close[-1]) * float(kinds[kind].tick) / bundle

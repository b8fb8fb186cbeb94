"""A market in chaos is not scalped."""

from dataclasses import dataclass
from math import isfinite

from scalp_strategy.breakers.base import BreakerState, Volatility
from scalp_strategy.setting_groups.breakers import BreakerSettings
from scalp_strategy.signals import Candidate, Verdict


@dataclass(frozen=True)
class ExtremeVolatility:
    """Block when the ATR leaves its own mean, or the last candle its ATR, far behind.

    The mean is that of the last `volatility_mean_candles` candles, the last one included. What is
    unknown does not block, and the reason says that it is unknown.
    """

    name: str = "volatility"

    def check(self, candidate: Candidate, state: BreakerState) -> Verdict:
        """Return a veto when either ratio is above its limit."""
        seen, rules = state.chart.volatility(), state.settings
        extremes = [*_wide_atr(seen, rules), *_wide_candle(seen, rules)]
        if extremes:
            reason = f"extreme volatility on {candidate.pair}: {'; '.join(extremes)}"
            return Verdict(self.name, blocks=True, reason=reason)
        return Verdict(self.name, reason=_unknown(seen))


# NaN is above nothing.
def _wide_atr(seen: Volatility, rules: BreakerSettings) -> list[str]:
    limit = rules.volatility_atr_ratio
    if not seen.atr > seen.mean_atr * limit:
        return []
    return [f"ATR {seen.atr:.6g} is above {limit:g}x its mean of {seen.mean_atr:.6g}"]


def _wide_candle(seen: Volatility, rules: BreakerSettings) -> list[str]:
    limit = rules.volatility_range_ratio
    if not seen.true_range > seen.atr * limit:
        return []
    return [f"the last candle's range {seen.true_range:.6g} is above {limit:g}x ATR {seen.atr:.6g}"]


def _unknown(seen: Volatility) -> str:
    named = {
        "the ATR": seen.atr,
        "its mean": seen.mean_atr,
        "the last candle's range": seen.true_range,
    }
    missing = [name for name, value in named.items() if not isfinite(value)]
    return f"unknown: {', '.join(missing)}" if missing else ""

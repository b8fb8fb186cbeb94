"""Market regime: who takes the capital, told by BTC, its dominance and the whole market.

=========== ================ ======== ===========
regime      BTC              dominance total cap
=========== ================ ======== ===========
RISK_ON     rises            falls    rises
BTC_SEASON  rises            rises    whatever
RISK_OFF    falls            whatever falls
CHOPPY      everything else
=========== ================ ======== ===========
"""

from functools import partial
from itertools import product
from math import isnan, nan
from typing import Final, Literal, NamedTuple

from external_layers.anchors import NEUTRAL
from external_layers.evidence import NEVER, Evidence, unknown
from external_layers.sentiment import words
from external_layers.sentiment.inputs import BTC, Inputs, Moment
from external_layers.sentiment.readings import History, Known
from external_layers.sentiment.regime_watch import UNKNOWN, Look, RegimeWatch
from external_layers.sentiment.trend import Candles15m, change_pct, trend_pct
from external_layers.sources.facts import BTC_DOMINANCE, TOTAL_CAP
from scalp_strategy.contract import MARKET_WIDE
from scalp_strategy.setting_groups.sentiment import SentimentSettings

FLAG: Final = "regime"
_MS_PER_S: Final = 1_000

Regime = Literal["RISK_ON", "BTC_SEASON", "RISK_OFF", "CHOPPY"]
Sign = Literal[-1, 0, 1]
_SIGNS: Final[tuple[Sign, ...]] = (-1, 0, 1)
_MEANING: Final[dict[str, str]] = {
    "RISK_ON": "alts are bought",
    "BTC_SEASON": "BTC takes the capital",
    "RISK_OFF": "everything is sold",
    "CHOPPY": "no clear trend",
}


class Signs(NamedTuple):
    """Whether each input falls, stands or rises; None = unknown.

    Attributes
    ----------
    fast, slow
        BTC on 1h and on 4h.
    dominance, cap
        BTC's share of the market's capitalisation, and the whole of it.
    """

    fast: Sign | None
    slow: Sign | None
    dominance: Sign | None
    cap: Sign | None


def btc_sign(fast: Sign, slow: Sign) -> Sign:
    """Return where BTC goes: a timeframe that stands follows the other, opposite ones stand."""
    return sign_of(float(fast + slow), 0.0)


def classify(btc: Sign, dominance: Sign, cap: Sign) -> Regime:
    """Return the regime of inputs that are all known."""
    if btc > 0 and dominance > 0:
        return "BTC_SEASON"
    if btc > 0 and dominance < 0 and cap > 0:
        return "RISK_ON"
    if btc < 0 and cap < 0:
        return "RISK_OFF"
    return "CHOPPY"


def possible_regimes(signs: Signs) -> frozenset[Regime]:
    """Return every regime that there could be: an unknown input may be anything."""
    each = [_SIGNS if sign is None else (sign,) for sign in signs]
    return frozenset(
        classify(btc_sign(fast, slow), dominance, cap)
        for fast, slow, dominance, cap in product(*each)
    )


def sign_of(change: float, flat: float) -> Sign:
    """Return whether a change is above `flat`, below `-flat`, or neither."""
    if change > flat:
        return 1
    return -1 if change < -flat else 0


def market_regime(inputs: Inputs, moment: Moment) -> dict[str, Evidence]:
    """Return what the regime says of alts, and of BTC's own pairs."""
    candles = moment.candles_of(BTC)
    newest_ms = int(candles.close_ms[-1]) if len(candles.close_ms) else NEVER
    inputs.regime.settle(
        moment.at_ms, newest_ms, lambda close_ms: look_at(close_ms, candles, inputs)
    )
    found = {MARKET_WIDE: _evidence(inputs.regime, inputs.settings.sentiment, is_btc=False)}
    own = _evidence(inputs.regime, inputs.settings.sentiment, is_btc=True)
    return found | {pair: own for pair, token in moment.pairs.items() if token == BTC}


def look_at(close_ms: int, candles: Candles15m, inputs: Inputs) -> Look:
    """Return what the market looked like at a 15m close, with what was known by then."""
    settings = inputs.settings.sentiment
    share = settings.candles_min_share
    fast = trend_pct(candles, close_ms, settings.regime_fast_s, share)
    slow = trend_pct(candles, close_ms, settings.regime_slow_s, share)
    dominance, cap = (
        inputs.readings.freshest(series, partial(_window_change, close_ms, settings, series))
        for series in (BTC_DOMINANCE, TOTAL_CAP)
    )
    signs = Signs(
        _sign(fast, settings.regime_flat_fast_pct),
        _sign(slow, settings.regime_flat_slow_pct),
        _sign(dominance.value if dominance else nan, settings.regime_flat_dominance),
        _sign(cap.value if cap else nan, settings.regime_flat_cap_pct),
    )
    possible = possible_regimes(signs)
    if len(possible) > 1:
        return Look(UNKNOWN, NEVER)
    return _settled(
        next(iter(possible)), signs, (dominance, cap), _btc(candles, close_ms, fast, slow)
    )


def _settled(
    regime: Regime,
    signs: Signs,
    changes: tuple[Known | None, Known | None],
    btc: tuple[list[int], list[str]],
) -> Look:
    # Only what the regime would not be settled without makes it as old as it is.
    dominance, cap = changes
    observed, parts = btc
    if dominance and _matters(signs._replace(dominance=None)):
        observed.append(dominance.observed_ms)
        parts.append(f"dominance {words.signed(dominance.value, 2)} points")
    if cap and _matters(signs._replace(cap=None)):
        observed.append(cap.observed_ms)
        parts.append(f"total cap {words.percent(cap.value)}")
    return Look(regime, min(observed), words.listed(parts))


def _btc(
    candles: Candles15m, close_ms: int, fast: float, slow: float
) -> tuple[list[int], list[str]]:
    trends = (("1h", fast), ("4h", slow))
    told = [f"{words.percent(trend)} on {name}" for name, trend in trends if not isnan(trend)]
    if not told:
        return [], []
    return [int(candles.close_ms[candles.count_until(close_ms) - 1])], ["BTC " + ", ".join(told)]


def _matters(without: Signs) -> bool:
    return len(possible_regimes(without)) > 1


def _sign(change: float, flat: float) -> Sign | None:
    return None if isnan(change) else sign_of(change, flat)


def _window_change(
    at_ms: int, settings: SentimentSettings, series: str, history: History
) -> Known | None:
    # From the newest value that was at least a window older to the newest; both as known then.
    newest = history.newest(at_ms)
    window_ms = settings.regime_window_s * _MS_PER_S
    if newest is None or at_ms - newest.observed_ms >= settings.regime_freshness_s[-1] * _MS_PER_S:
        return None
    base = history.newest(at_ms, newest.observed_ms - window_ms)
    reach_ms = window_ms * (1.0 + settings.regime_window_slack)
    if base is None or newest.observed_ms - base.observed_ms > reach_ms:
        return None
    is_share = series == BTC_DOMINANCE  # in percent already, so its change is in points
    change = newest.value - base.value if is_share else change_pct(base.value, newest.value)
    return Known(newest.observed_ms, change)


def _evidence(watch: RegimeWatch, settings: SentimentSettings, *, is_btc: bool) -> Evidence:
    regime = watch.regime
    if regime == UNKNOWN:
        return unknown()
    biases: tuple[float, float] = getattr(settings.regime_biases, regime.lower())
    if is_btc and regime == "BTC_SEASON":
        biases = (NEUTRAL, NEUTRAL)
    return Evidence(*biases, _reason(watch), watch.seen.observed_ms, (f"{FLAG}={regime}",))


def _reason(watch: RegimeWatch) -> str:
    named = f"Market regime {watch.regime}: {_MEANING[watch.regime]}"
    if watch.seen.regime == watch.regime:
        return f"{named} ({watch.seen.text})"
    return f"{named}; {watch.seen.regime} for {words.minutes(watch.held_ms)}, not yet confirmed"

"""Every anchor of the sentiment components, calculated by hand from the specification."""

import json
import math

import pytest

from external_layers.sentiment.fear_greed import BANDS, band_of, fear_greed, fear_greed_scores
from external_layers.sentiment.inputs import Inputs, Moment
from external_layers.sentiment.macro_correlation import macro_scores
from external_layers.sentiment.market_regime import classify
from external_layers.sentiment.social_sentiment import spike_scores, tone_scores
from external_layers.sentiment.trend import NO_CANDLES, Candles15m
from external_layers.sources.facts import FEAR_GREED
from scalp_strategy.settings import Settings
from tests.support.recorded import recorded
from tests.unit.external_layers.sentiment.told import START_MS, candles, reading

SETTINGS = Settings().sentiment


@pytest.mark.parametrize(
    ("value", "long"),
    [
        (0, 90),
        (5, 87),  # a fifth of the way from 90 to 75
        (12.5, 82.5),
        (25, 75),
        (26, 69.5),  # 70 at 25, a twentieth of the way to 60
        (35, 65),
        (45, 60),
        (45.5, 50),
        (50, 50),
        (54.9, 50),
        (55, 40),
        (65, 40),
        (75, 40),
        (76, 24.6),
        (87.5, 20),
        (100, 15),
    ],
)
def test_fear_greed(value: float, long: float) -> None:
    assert fear_greed_scores(value, SETTINGS) == pytest.approx((long, 100 - long))


def test_fear_greed_of_nothing() -> None:
    assert all(math.isnan(each) for each in fear_greed_scores(math.nan, SETTINGS))


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (22, "Fear & Greed at 22 (Extreme Fear): contrarian buy"),
        (40, "Fear & Greed at 40 (Fear): slight buy"),
        (50, ""),
        (60, "Fear & Greed at 60 (Greed): slight sell"),
        (90, "Fear & Greed at 90 (Extreme Greed): contrarian sell"),
    ],
)
def test_fear_greed_in_words(value: float, reason: str) -> None:
    inputs = Inputs(Settings())
    inputs.readings.add(reading(FEAR_GREED, value, START_MS))
    found = fear_greed(inputs, Moment(START_MS + 1, {}, {}))["*"]
    assert (found.reason, found.observed_ms) == (reason, START_MS)


def test_bands_are_the_index_s_own_but_for_one_value() -> None:
    text = recorded("context", "fng_alternative_me_full_to_2026-06-06.json").read_text()
    told = {int(row["value"]): row["value_classification"] for row in json.loads(text)}
    ours = {value: BANDS[band_of(value, SETTINGS.fear_greed_edges)][0] for value in told}
    assert len(told) > 80
    assert {value for value, name in told.items() if ours[value] != name} == {46}


@pytest.mark.parametrize(
    ("net", "long"),
    [
        (0.0, 50),
        (0.29, 50),
        (-0.29, 50),
        (0.3, 65),
        (0.65, 70),
        (1.0, 75),
        (2.4, 75),
        (-0.3, 35),
        (-0.65, 30),
        (-1.0, 25),
        (-3.0, 25),
    ],
)
def test_macro(net: float, long: float) -> None:
    assert macro_scores(net, SETTINGS) == pytest.approx((long, 100 - long))


@pytest.mark.parametrize(
    ("btc", "dominance", "cap", "regime"),
    [
        (1, -1, 1, "RISK_ON"),
        (1, 1, 1, "BTC_SEASON"),
        (1, 1, -1, "BTC_SEASON"),
        (-1, 1, -1, "RISK_OFF"),
        (-1, -1, -1, "RISK_OFF"),
        (1, -1, 0, "CHOPPY"),
        (1, 0, 1, "CHOPPY"),
        (-1, 0, 0, "CHOPPY"),
        (0, -1, 1, "CHOPPY"),
        (0, 1, -1, "CHOPPY"),
    ],
)
def test_regimes(btc: int, dominance: int, cap: int, regime: str) -> None:
    assert classify(btc, dominance, cap) == regime


@pytest.mark.parametrize(
    ("tone", "long"),
    [(0.0, 50), (0.15, 50), (0.325, 55), (0.5, 60), (0.9, 60), (-0.325, 45), (-0.5, 40), (-1, 40)],
)
def test_tone_of_the_press(tone: float, long: float) -> None:
    assert tone_scores(tone, SETTINGS) == pytest.approx((long, 100 - long))


# Sixteen candles of four hours after a quiet day; the range of each is 2, so the ATR is 2 and a
# little more where the price jumps.
QUIET = [100.0] * 96


def quiet_then(last: list[float]) -> Candles15m:
    return candles(QUIET + last, START_MS, reach=1.0)


@pytest.mark.parametrize(
    ("tone", "closes", "scores"),
    [
        (0.4, [100.0], (75, 25)),
        (0.15, [100.0], (75, 25)),
        # The true ranges are 2 but for the fall's: 14 of them, mean (13 * 2 + fall + 1) / 14, as
        # the close before lies above the candle's high. A fall of 5: 32 / 14 = 2.29, 2.2 ATRs.
        (-0.4, [95.0], (80, 20)),
        # A fall of 4: 31 / 14 = 2.21, 1.8 ATRs.
        (-0.4, [96.0], (20, 85)),
        (-0.15, [96.0], (20, 85)),
        # Fallen long ago: not in the last four hours.
        (-0.4, [95.0] * 17, (20, 85)),
        (0.1, [95.0], (50, 50)),
        (-0.1, [95.0], (50, 50)),
        (math.nan, [95.0], (50, 50)),
    ],
)
def test_spikes(tone: float, closes: list[float], scores: tuple[float, float]) -> None:
    assert spike_scores(tone, quiet_then(closes), START_MS, SETTINGS)[:2] == scores


@pytest.mark.parametrize(
    ("close", "long"),
    [
        (99.8, 75),  # 0.4 % below the day's high of 100.2
        (100.5, 55),  # 0.2 % below its own high of 100.7
    ],
)
def test_good_news_at_the_high_of_the_day(close: float, long: float) -> None:
    shelf = candles([*QUIET, close], START_MS, reach=0.2)
    assert spike_scores(0.4, shelf, START_MS, SETTINGS)[:2] == (long, 100 - long)


def test_spikes_without_a_price_take_the_cautious_side() -> None:
    assert spike_scores(0.4, NO_CANDLES, START_MS, SETTINGS)[:2] == (55, 45)
    assert spike_scores(-0.4, NO_CANDLES, START_MS, SETTINGS)[:2] == (20, 85)

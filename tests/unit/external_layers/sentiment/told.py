"""Facts and candles written by hand or drawn from a seed, and a state that is asked."""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from math import nan

from external_layers.sentiment.state import SentimentState
from external_layers.sentiment.trend import Candles15m, candles_of
from external_layers.sources.facts import MARKET, Fact, Mentions, Reading, Story, Watched
from scalp_strategy.contract import CANDLE_MS, Component
from scalp_strategy.settings import Settings

MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 86_400_000
START_MS = 20_000 * DAY_MS  # a midnight
SETTINGS = Settings()
PAIRS = {"SOL/USDT:USDT": "SOL", "BTC/USDT:USDT": "BTC"}


def settings(**changed: object) -> Settings:
    """Return settings whose sentiment group differs in these keys."""
    return Settings(sentiment=SETTINGS.sentiment.model_dump() | changed)


def reading(
    series: str, value: float, at_ms: int, subject: str = MARKET, late_ms: int = 0
) -> Reading:
    return Reading(series, subject, value, at_ms, at_ms + late_ms)


def story(at_ms: int, polarity: float, *tokens: str, late_ms: int = 0, name: str = "") -> Story:
    key = name or f"{at_ms}-{polarity}-{tokens}"
    return Story(key, "A headline", "A paper", tokens, polarity, at_ms, at_ms + late_ms)


def looked(at_ms: int, subject: str = MARKET) -> Watched:
    return Watched("stories", subject, "rss", at_ms, at_ms)


def mentions(
    at_ms: int,
    count: float,
    tone: float = nan,
    of: str = "SOL",
    *,
    platform: str = "x",
    span_s: float = 3_600.0,
    influence: float = nan,
) -> Mentions:
    return Mentions(platform, of, count, span_s, tone, at_ms, at_ms, influence)


def candles(closes: Sequence[float], end_ms: int, reach: float = 0.0) -> Candles15m:
    """Return candles that close at these prices, the last one at `end_ms`."""
    first_ms = end_ms - len(closes) * CANDLE_MS
    return candles_of(
        (first_ms + each * CANDLE_MS, close, close + reach, close - reach, close, 1.0)
        for each, close in enumerate(closes)
    )


def cut(whole: Candles15m, at_ms: int, rows: int | None = None) -> Candles15m:
    """Return what had closed by an instant, at most `rows` of it."""
    count = whole.count_until(at_ms)
    first = 0 if rows is None else max(0, count - rows)
    return Candles15m(*(array[first:count] for array in whole))


def slope(per_day_pct: float, days: float, end_ms: int) -> Candles15m:
    """Return candles that rise (or fall) evenly."""
    count = round(days * 96)
    return candles([100.0 * (1.0 + per_day_pct / 9_600.0) ** each for each in range(count)], end_ms)


def rows_of(
    state: SentimentState,
    at_ms: int,
    shelf: Mapping[str, Candles15m] | None = None,
    pairs: Mapping[str, str] = PAIRS,
) -> dict[tuple[str, str], Component]:
    """Return what a state says, by name and pair."""
    found = state.components(pairs, shelf or {}, at_ms)
    return {(one.name, one.pair): one for one in found}


def told(facts: Iterable[Fact], with_settings: Settings = SETTINGS) -> SentimentState:
    state = SentimentState(with_settings)
    state.add(facts)
    return state


def random_facts(seed: int, hours: int) -> list[Fact]:
    """Return a restless world: late, revised, repeated and missing facts, by availability."""
    chance = random.Random(seed)
    facts: list[Fact] = []
    for step in range(hours * 4):
        at = START_MS + step * CANDLE_MS + chance.randrange(CANDLE_MS)
        late = chance.choice((0, 0, 5 * MINUTE_MS, 40 * MINUTE_MS, 2 * HOUR_MS))
        day = at // DAY_MS * DAY_MS
        spike = chance.choice((1.0, 1.0, 1.0, 8.0))
        kinds: list[Fact] = [
            reading("fear_greed", chance.randrange(101), day, late_ms=at - day),
            reading("news_tone", chance.gauss(0.0, 0.3), at, late_ms=late),
            reading("btc_dominance", 55.0 + chance.gauss(0.0, 0.3), at, late_ms=late),
            reading("total_cap", 3e12 * (1.0 + chance.gauss(0.0, 0.02)), at, late_ms=late),
            *_macro(chance, at, late),
            story(at, chance.gauss(0.0, 0.5), *chance.sample(("SOL", "BTC"), chance.randrange(3))),
            looked(at),
            mentions(at, 10.0 * spike, chance.gauss(0.0, 0.4), chance.choice(("SOL", "BTC", "*"))),
            mentions(at, chance.choice((0.0, nan, 5.0 * spike)), platform="reddit"),
        ]
        facts += [_delayed(chance, fact) for fact in kinds if chance.random() < 0.6]
    return sorted(facts, key=lambda fact: fact.available_at_ms)


def _delayed(chance: random.Random, fact: Fact) -> Fact:
    if isinstance(fact, Reading) or chance.random() < 0.8:
        return fact
    return replace(fact, available_at_ms=fact.available_at_ms + chance.randrange(3 * HOUR_MS))


def _macro(chance: random.Random, at: int, late: int) -> list[Fact]:
    day = at // DAY_MS * DAY_MS
    source = chance.choice(("yahoo", "alpha_vantage"))
    return [
        reading("sp500_now", 5_000.0 * (1.0 + chance.gauss(0.0, 0.008)), at, source, late),
        reading("dollar_index_now", 100.0 * (1.0 + chance.gauss(0.0, 0.003)), at, source, late),
        reading("sp500", 5_000.0 * (1.0 + chance.gauss(0.0, 0.01)), day, "fred", at - day),
        reading("vix", 18.0 + chance.gauss(0.0, 2.0), day, "fred", at - day),
    ]


def random_candles(seed: int, hours: int, volatility: float = 0.006) -> Candles15m:
    chance = random.Random(seed)
    price, closes = 100.0, []
    for _ in range(hours * 4 + 400):
        price *= 1.0 + chance.gauss(0.0, volatility)
        closes.append(price)
    return candles(closes, START_MS + hours * HOUR_MS, 0.1)

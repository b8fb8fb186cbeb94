"""Mentions and headlines: what is usual, what spikes, what grows, whose tone counts."""

from dataclasses import replace

import pytest

from external_layers.sources.facts import MARKET, NEWS_TONE, Fact
from scalp_strategy.contract import Component
from scalp_strategy.settings import Settings
from tests.unit.external_layers.sentiment.told import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    SETTINGS,
    START_MS,
    candles,
    looked,
    mentions,
    reading,
    rows_of,
    settings,
    story,
    told,
)

NOW_MS = START_MS + 30 * MINUTE_MS
SOL = "SOL/USDT:USDT"
# Well below the high of the day, and nothing has fallen in the last four hours.
PRICES = [110.0] * 60 + [100.0] * 40


def social(
    facts: list[Fact], pair: str = SOL, at_ms: int = NOW_MS, with_settings: Settings = SETTINGS
) -> Component:
    shelf = {token: candles(PRICES, at_ms // 900_000 * 900_000, 0.1) for token in ("SOL", "BTC")}
    return rows_of(told(facts, with_settings), at_ms, shelf)["social_sentiment", pair]


def usual(hours: int = 48, count: float = 10.0, **more: object) -> list[Fact]:
    """Return an hourly count up to an hour before now."""
    return [mentions(NOW_MS - each * HOUR_MS, count, **more) for each in range(hours, 0, -1)]


def quiet_press(hours: int = 48, subject: str = MARKET) -> list[Fact]:
    return [looked(NOW_MS - each * HOUR_MS, subject) for each in range(hours, -1, -1)]


def scores(found: Component) -> tuple[float, float]:
    return found.long, found.short


def test_unknown_without_sources_and_without_a_past() -> None:
    assert not social([]).is_known
    assert not social([mentions(NOW_MS, 500.0, 0.9)]).is_known
    assert not social([*usual(23), mentions(NOW_MS, 500.0, 0.9)]).is_known
    assert not social([story(NOW_MS - 1, 0.9, "SOL")]).is_known  # nobody says that he looked
    assert not social(quiet_press(23)).is_known
    assert social(quiet_press(24)).is_known


@pytest.mark.parametrize(
    ("count", "tone", "expected"),
    [
        (31.0, 0.5, (75, 25)),
        (30.0, 0.5, (50, 50)),  # three times the mean, not more
        (31.0, -0.5, (20, 85)),
        (31.0, 0.0, (50, 50)),
        (0.0, -0.9, (50, 50)),
    ],
)
def test_a_spike(count: float, tone: float, expected: tuple[float, float]) -> None:
    found = social([*usual(), mentions(NOW_MS, count, tone)])
    assert scores(found) == expected
    assert found.observed_at_ms == NOW_MS


def test_in_words() -> None:
    found = social([*usual(), mentions(NOW_MS, 42.0, -0.4)])
    assert found.reason == "SOL named 4.2x as often as usual (x), tone -0.40: viral bad news"
    assert social([*usual(), mentions(NOW_MS, 42.0, 0.0)]).reason == ""


def test_rates_are_per_hour_and_weighed_by_influence() -> None:
    quarter = mentions(NOW_MS, 8.0, 0.5, span_s=900.0)  # 32 an hour
    assert scores(social([*usual(), quarter])) == (75, 25)
    day = mentions(NOW_MS, 31.0 * 24, 0.5, span_s=86_400.0)
    assert scores(social([*usual(), day])) == (75, 25)
    heavy = mentions(NOW_MS, 16.0, 0.5, influence=2.0)
    assert scores(social([*usual(), heavy])) == (75, 25)
    assert scores(social([*usual(), mentions(NOW_MS, 31.0, 0.5, influence=0.5)])) == (50, 50)


def test_each_platform_against_its_own_past_and_the_loudest_speaks() -> None:
    busy = [*usual(), *usual(count=1_000.0, platform="reddit")]
    calm = [mentions(NOW_MS, 900.0, -0.9, platform="reddit")]
    assert scores(social([*busy, *calm, mentions(NOW_MS, 9.0, 0.9)])) == (50, 50)
    found = social([*busy, *calm, mentions(NOW_MS, 40.0, 0.9)])
    assert scores(found) == (75, 25)
    assert "(x)" in found.reason


def test_a_platform_that_only_counts_takes_the_tone_of_another_then_of_the_press() -> None:
    facts = [*usual(), *usual(platform="reddit"), mentions(NOW_MS, 40.0)]
    assert scores(social(facts)) == (50, 50)
    assert scores(social([*facts, mentions(NOW_MS, 10.0, 0.9, platform="reddit")])) == (75, 25)
    assert scores(social([*facts, story(NOW_MS - HOUR_MS, -0.9, "SOL")])) == (20, 85)


def test_seldom_named_needs_more_than_three_times_nothing() -> None:
    rare = usual(count=0.01)
    assert scores(social([*rare, mentions(NOW_MS, 3.0, 0.9)])) == (50, 50)
    assert scores(social([*rare, mentions(NOW_MS, 4.0, 0.9)])) == (75, 25)


def test_the_mean_reaches_back_seven_days() -> None:
    loud = [mentions(NOW_MS - each * HOUR_MS, 1_000.0) for each in range(300, 169, -1)]
    facts = [*loud, *usual(168), mentions(NOW_MS, 31.0, 0.9)]
    assert scores(social(facts)) == (75, 25)
    assert scores(social(facts, with_settings=settings(social_mean_days=8))) == (50, 50)


def test_telling_twice_changes_nothing() -> None:
    facts = [*usual(), *usual(), mentions(NOW_MS, 31.0, 0.5), mentions(NOW_MS, 31.0, 0.5)]
    assert scores(social(facts)) == (75, 25)
    assert scores(
        social([*usual(), *[story(NOW_MS - 5, 0.9, "SOL", name="a")] * 9, *quiet_press()])
    ) == (50, 50)


def test_within_an_hour_only_what_is_newer_counts() -> None:
    again = [mentions(NOW_MS - each * HOUR_MS, 1_000.0) for each in range(48, 0, -1)]
    older = [
        replace(mentions(NOW_MS - each * HOUR_MS - 1, 1_000.0), available_at_ms=NOW_MS)
        for each in range(48, 0, -1)
    ]
    now = mentions(NOW_MS, 31.0, 0.5)
    assert scores(social([*usual(), *again, *older, now])) == (75, 25)


def test_late_counts_and_headlines_change_what_is_usual() -> None:
    early = [*usual(30), mentions(NOW_MS, 31.0, 0.5), *quiet_press()]
    state = told(early)
    assert scores(rows_of(state, NOW_MS)["social_sentiment", SOL]) == (55, 45)
    more = [mentions(NOW_MS - each * HOUR_MS, 20.0) for each in range(48, 31, -1)]
    state.add([replace(one, available_at_ms=NOW_MS + 1) for one in more])
    assert scores(rows_of(state, NOW_MS + 1)["social_sentiment", SOL]) == (50, 50)

    press = [*quiet_press(), *[story(NOW_MS - each, 0.9, "SOL") for each in range(4)]]
    state = told(press)
    assert scores(rows_of(state, NOW_MS)["social_sentiment", SOL]) == (55, 45)
    past = [story(NOW_MS - each * HOUR_MS // 2, 0.0, "SOL") for each in range(6, 96)]
    state.add([replace(one, available_at_ms=NOW_MS + 1) for one in past])
    assert scores(rows_of(state, NOW_MS + 1)["social_sentiment", SOL]) == (50, 50)


def test_the_press_when_it_is_the_loudest_speaks_for_itself() -> None:
    news = [story(NOW_MS - each, -0.9, "SOL") for each in range(9)]
    found = social([*quiet_press(), *news, *usual(), mentions(NOW_MS, 31.0, 0.9)])
    assert scores(found) == (20, 85)
    assert "(news)" in found.reason


def test_old_counts_are_no_counts() -> None:
    facts = [*usual(), mentions(NOW_MS, 42.0, 0.9)]
    limit_ms = SETTINGS.sentiment.social_freshness_s[-1] * 1_000
    assert scores(social(facts, at_ms=NOW_MS + limit_ms - 1))[0] == 75
    assert not social(facts, at_ms=NOW_MS + limit_ms).is_known


@pytest.mark.parametrize(
    ("day_before", "early", "late", "grows"),
    [
        (10.0, 14.0, 16.0, True),  # 15 of 10
        (10.0, 14.0, 15.9, False),
        (10.0, 16.0, 14.0, False),  # ebbing
        (10.0, 9.0, 22.0, False),  # sudden, not gradual
    ],
)
def test_growing(day_before: float, early: float, late: float, grows: bool) -> None:
    def steady(count: float, first: int, last: int) -> list[Fact]:
        return [mentions(NOW_MS - each * HOUR_MS, count, 0.0) for each in range(first, last, -1)]

    facts = steady(day_before, 48, 24) + steady(early, 24, 12) + steady(late, 12, 0)
    found = social([*facts, mentions(NOW_MS, late, 0.0)])
    assert scores(found) == ((65, 35) if grows else (50, 50))
    bad = social([*facts, mentions(NOW_MS, late, -0.9)])
    assert scores(bad) == (50, 50)


def test_a_day_with_holes_does_not_grow() -> None:
    facts = [
        mentions(NOW_MS - each * HOUR_MS, 10.0) for each in (*range(48, 43, -1), *range(30, 24, -1))
    ]
    facts += [mentions(NOW_MS - each * HOUR_MS, 30.0) for each in range(24, -1, -1)]
    assert scores(social(facts)) == (50, 50)


def test_headlines_of_an_hour_against_the_usual() -> None:
    def press(count: int, tone: float, *tokens: str) -> list[Fact]:
        news = [story(NOW_MS - each * MINUTE_MS, tone, *tokens) for each in range(1, count + 1)]
        return [*quiet_press(), *news]

    assert scores(social(press(3, 0.9, "SOL"))) == (50, 50)
    assert scores(social(press(4, 0.9, "SOL"))) == (75, 25)
    assert scores(social(press(4, -0.9, "SOL"))) == (20, 85)
    assert social(press(4, 0.9, "SOL")).reason.startswith("SOL named 4.0x as often as usual (news)")
    hour_ago = [story(NOW_MS - HOUR_MS - each, 0.9, "SOL") for each in range(9)]
    assert scores(social([*quiet_press(), *hour_ago])) == (50, 50)


def test_newer_headlines_count_more() -> None:
    half_life = SETTINGS.sentiment.social_tone_half_life_s * 1_000
    state = told([story(NOW_MS, 0.6, "SOL"), story(NOW_MS - half_life, -0.6, "SOL")])
    rows_of(state, NOW_MS)
    # (1 * 0.6 - 0.5 * 0.6) / 1.5
    assert state._inputs.stories.tone("SOL", NOW_MS) == pytest.approx(0.2)


def test_what_is_unusual_of_the_market_reaches_every_quiet_token() -> None:
    crash = [story(NOW_MS - each * MINUTE_MS, -0.9) for each in range(1, 6)]
    facts = [*quiet_press(), *crash]
    market, own = social(facts, "*"), social(facts)
    assert scores(market) == scores(own) == (20, 85)
    assert own.reason.startswith("The market named 5.0x")
    loud = [*usual(), mentions(NOW_MS, 42.0, 0.9)]
    assert scores(social([*facts, *loud])) == (75, 25)  # its own news comes first


def test_every_story_is_the_market_s() -> None:
    facts = [*quiet_press(), *[story(NOW_MS - each, -0.9, "DOGE", "SOL") for each in range(4)]]
    assert scores(social(facts, "*")) == (20, 85)


def test_looks_for_one_token_count_for_it_alone() -> None:
    facts = quiet_press(subject="SOL")
    assert social(facts).is_known
    assert not social(facts, "BTC/USDT:USDT").is_known
    assert not social(facts, "*").is_known


def test_the_tone_of_the_press_speaks_while_nothing_spikes() -> None:
    tone = [reading(NEWS_TONE, -0.5, NOW_MS - MINUTE_MS)]
    market = social(tone, "*")
    assert scores(market) == (40, 60)
    assert market.reason == "Tone of the news -0.50"
    assert scores(social(tone)) == (40, 60)
    quiet = [*quiet_press(), reading(NEWS_TONE, 0.1, NOW_MS - MINUTE_MS)]
    assert scores(social(quiet, "*")) == (50, 50)
    assert social(quiet, "*").observed_at_ms == NOW_MS
    stale = [reading(NEWS_TONE, -0.5, NOW_MS - DAY_MS)]
    assert not social(stale, "*").is_known


@pytest.mark.parametrize(
    "odd",
    [
        mentions(NOW_MS, -5.0),
        mentions(NOW_MS, float("nan")),
        mentions(NOW_MS, float("inf")),
        mentions(NOW_MS, 5.0, span_s=0.0),
        mentions(NOW_MS, 5.0, span_s=float("nan")),
        mentions(NOW_MS, 5.0, influence=-1.0),
    ],
)
def test_a_count_that_is_none_is_left_out(odd: Fact) -> None:
    facts = usual()
    assert social([*facts, odd]).observed_at_ms == facts[-1].observed_at_ms

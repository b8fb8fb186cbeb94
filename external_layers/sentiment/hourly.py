"""How often something is named an hour, against its own past. Pure."""

from collections.abc import Mapping
from math import fsum
from typing import Final, NamedTuple

from scalp_strategy.setting_groups.sentiment import SentimentSettings

HOUR_MS: Final = 3_600_000
DAY_HOURS: Final = 24
_HALF_DAY_HOURS: Final = 12
_GROWTH_DAYS: Final = 2  # the last one, and the one that it is compared with
_MS_PER_S: Final = 1_000
_LEAST_SHARE: Final = 0.5  # of a half day's hours that must be known


class Baseline(NamedTuple):
    """What is usual.

    Attributes
    ----------
    mean
        Per hour, over the days before.
    is_growing
        Whether it has been named ever more often: the last day more than the one before by the
        ratio in the settings, and no half day less than what came before it.
    """

    mean: float
    is_growing: bool


class Voice(NamedTuple):
    """How often a token is named now in one place, and how it sounds.

    Attributes
    ----------
    name
        The platform, or ``"news"``.
    ratio
        Times its usual frequency.
    is_growing
        See `Baseline`.
    tone
        -1..1, NaN = unknown.
    observed_ms
        Up to when it was told.
    """

    name: str
    ratio: float
    is_growing: bool
    tone: float
    observed_ms: int


def baseline(rates: Mapping[int, float], hour: int, settings: SentimentSettings) -> Baseline | None:
    """Return what is usual before an hour.

    Parameters
    ----------
    rates
        By hour since 1970, the hours that were listened to; 0 where nothing was said.
    hour
        The hour that is compared, and not part of it.
    settings
        Days of the mean, least hours, the least mean, the ratio of growth.

    Returns
    -------
    Baseline or None
        None while too few hours are known.
    """
    first = hour - settings.social_mean_days * DAY_HOURS
    known = [rate for when, rate in rates.items() if first <= when < hour]
    if len(known) < settings.social_min_hours:
        return None
    mean = max(fsum(known) / len(known), settings.social_mean_floor)
    return Baseline(mean, _is_growing(rates, hour, settings))


def hours_kept(settings: SentimentSettings) -> int:
    """Return how many hours back anything is looked at, by a voice as old as it may be."""
    age_hours = -(-settings.social_freshness_s[-1] * _MS_PER_S // HOUR_MS)
    return max(settings.social_mean_days, _GROWTH_DAYS) * DAY_HOURS + age_hours + 1


def _is_growing(rates: Mapping[int, float], hour: int, settings: SentimentSettings) -> bool:
    half = _HALF_DAY_HOURS
    late = _mean(rates, hour - half, hour)
    early = _mean(rates, hour - 2 * half, hour - half)
    before = _mean(rates, hour - _GROWTH_DAYS * DAY_HOURS, hour - DAY_HOURS)
    if late is None or early is None or before is None:
        return False
    grown = settings.social_growth_ratio * max(before, settings.social_mean_floor)
    return (late + early) / 2.0 >= grown and late >= early >= before


def _mean(rates: Mapping[int, float], first: int, after: int) -> float | None:
    known = [rates[when] for when in range(first, after) if when in rates]
    if len(known) < _LEAST_SHARE * (after - first):
        return None
    return fsum(known) / len(known)

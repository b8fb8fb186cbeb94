"""Mentions by token and platform, hour by hour. Pure."""

from math import isfinite, isnan, nan
from typing import Any, Final

from external_layers.sentiment.hourly import HOUR_MS, Baseline, Voice, baseline, hours_kept
from external_layers.sources.facts import Mentions
from scalp_strategy.setting_groups.sentiment import SentimentSettings

_HOUR_S: Final = 3_600.0
_MS_PER_S: Final = 1_000
_NEVER: Final = -1


class PlatformLog:
    """What one platform told of one token: the newest, and the mean rate of every hour.

    Within an hour only what is newer than the last counts, so that telling twice changes nothing.
    """

    __slots__ = ("_base", "_hours", "_newest_ms", "_rate", "_settings", "_tone")

    def __init__(self, settings: SentimentSettings) -> None:
        self._settings = settings
        self._hours: dict[int, list[float]] = {}  # total of the rates, their number, the newest
        self._newest_ms, self._rate, self._tone = _NEVER, nan, nan
        self._base: tuple[int, Baseline | None] = (_NEVER, None)

    def add(self, observed_ms: int, rate: float, tone: float) -> None:
        """Take a rate in mentions an hour, weighed by influence."""
        hour = observed_ms // HOUR_MS
        total, count, newest = self._hours.get(hour, (0.0, 0.0, float(_NEVER)))
        if observed_ms <= newest:
            return
        self._hours[hour] = [total + rate, count + 1.0, float(observed_ms)]
        if hour < self._base[0]:
            self._base = (_NEVER, None)
        if observed_ms > self._newest_ms:
            self._newest_ms, self._rate, self._tone = observed_ms, rate, tone

    def voice(self, platform: str, at_ms: int) -> Voice | None:
        """Return what it says at an instant; None when it is too old or has too little past."""
        if at_ms - self._newest_ms >= self._settings.social_freshness_s[-1] * _MS_PER_S:
            return None
        usual = self._baseline(self._newest_ms // HOUR_MS)
        if usual is None:
            return None
        ratio = self._rate / usual.mean
        return Voice(platform, ratio, usual.is_growing, self._tone, self._newest_ms)

    def prune(self, before_hour: int) -> None:
        """Forget the hours before one."""
        for hour in [each for each in self._hours if each < before_hour]:
            del self._hours[hour]

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left of it."""
        return not self._hours

    def _baseline(self, hour: int) -> Baseline | None:
        if self._base[0] != hour:
            rates = {when: total / count for when, (total, count, _) in self._hours.items()}
            self._base = (hour, baseline(rates, hour, self._settings))
        return self._base[1]

    def to_json(self) -> list[Any]:
        """Return everything as JSON values."""
        tone = None if isnan(self._tone) else self._tone
        hours = [[hour, *kept] for hour, kept in self._hours.items()]
        return [self._newest_ms, self._rate, tone, hours]

    def load(self, document: list[Any]) -> None:
        """Take what `to_json` gave; TypeError or ValueError when it is something else."""
        newest, rate, tone, hours = document
        self._newest_ms, self._rate = int(newest), float(rate)
        self._tone = nan if tone is None else float(tone)
        for hour, total, count, last in hours:
            self._hours[int(hour)] = [float(total), float(count), float(last)]


class MentionLog:
    """All platforms' logs by token."""

    __slots__ = ("_by_token", "_settings")

    def __init__(self, settings: SentimentSettings) -> None:
        self._settings = settings
        self._by_token: dict[str, dict[str, PlatformLog]] = {}

    def add(self, mentions: Mentions) -> None:
        """Take a count; one that is no number, or of no time, is left out."""
        weight = 1.0 if isnan(mentions.influence) else mentions.influence
        if not mentions.span_s > 0.0:
            return
        rate = mentions.count * weight / mentions.span_s * _HOUR_S
        if not (isfinite(rate) and rate >= 0.0):
            return
        observed_ms = min(mentions.observed_at_ms, mentions.available_at_ms)
        tone = mentions.polarity if isfinite(mentions.polarity) else nan
        self._log(mentions.token, mentions.platform).add(observed_ms, rate, tone)

    def voices(self, token: str, at_ms: int) -> list[Voice]:
        """Return what each platform says of a token, by platform."""
        by_platform = self._by_token.get(token, {})
        found = (by_platform[name].voice(name, at_ms) for name in sorted(by_platform))
        return [voice for voice in found if voice is not None]

    def prune(self, at_ms: int) -> None:
        """Forget what is in no mean any more, and tokens that nobody speaks of."""
        first = at_ms // HOUR_MS - hours_kept(self._settings)
        for token, by_platform in list(self._by_token.items()):
            for name, log in list(by_platform.items()):
                log.prune(first)
                if log.is_empty:
                    del by_platform[name]
            if not by_platform:
                del self._by_token[token]

    def _log(self, token: str, platform: str) -> PlatformLog:
        by_platform = self._by_token.setdefault(token, {})
        return by_platform.setdefault(platform, PlatformLog(self._settings))

    def to_json(self) -> list[Any]:
        """Return everything as JSON values."""
        return [
            [token, platform, log.to_json()]
            for token, by_platform in self._by_token.items()
            for platform, log in by_platform.items()
        ]

    def load(self, document: list[Any]) -> None:
        """Take what `to_json` gave; TypeError or ValueError when it is something else."""
        for token, platform, log in document:
            self._log(str(token), str(platform)).load(log)

"""Headlines by token, hour by hour, and how they sound. Pure."""

from bisect import bisect_right, insort
from math import fsum, isfinite, isnan, nan
from typing import Any, Final

from external_layers.sentiment.hourly import HOUR_MS, Baseline, Voice, baseline, hours_kept
from external_layers.sources.facts import MARKET, Story, Watched
from scalp_strategy.setting_groups.sentiment import SentimentSettings

NEWS: Final = "news"
_MS_PER_S: Final = 1_000
_TONE_HALF_LIVES: Final = 4  # headlines older than these are not in the tone any more
_NEVER: Final = -1


class StoryLog:
    """What the press wrote: the market's subject holds every story, a token's those that name it.

    A story counts once, by its id. Only hours in which somebody looked are compared: an hour
    without a story is quiet then, and unknown otherwise. What is told between two looks belongs to
    the later one, so the last hour reckons from the last look.
    """

    __slots__ = ("_bases", "_hours", "_ids", "_newest_look_ms", "_recent", "_settings", "_watched")

    def __init__(self, settings: SentimentSettings) -> None:
        self._settings = settings
        self._ids: dict[str, int] = {}
        self._hours: dict[str, dict[int, int]] = {}
        self._recent: dict[str, list[tuple[int, float]]] = {}  # observed, polarity; ascending
        self._watched: dict[str, set[int]] = {}
        self._newest_look_ms: dict[str, int] = {}
        self._bases: dict[str, tuple[int, Baseline | None]] = {}

    def add(self, story: Story) -> None:
        """Take a story, unless it is known."""
        if story.id in self._ids:
            return
        observed_ms = min(story.observed_at_ms, story.available_at_ms)
        self._ids[story.id] = observed_ms
        tone = story.polarity if isfinite(story.polarity) else nan
        for subject in {MARKET, *story.tokens}:
            hours = self._hours.setdefault(subject, {})
            hour = observed_ms // HOUR_MS
            hours[hour] = hours.get(hour, 0) + 1
            recent = self._recent.setdefault(subject, [])
            insort(recent, (observed_ms, tone), key=_observed)
            self._forget_base(subject, hour)

    def look(self, watched: Watched) -> None:
        """Take that somebody has looked."""
        observed_ms = min(watched.observed_at_ms, watched.available_at_ms)
        subject, hour = watched.subject, observed_ms // HOUR_MS
        hours = self._watched.setdefault(subject, set())
        if hour not in hours:
            hours.add(hour)
            for each in list(self._bases) if subject == MARKET else (subject,):
                self._forget_base(each, hour)
        newest_ms = self._newest_look_ms.get(subject, _NEVER)
        self._newest_look_ms[subject] = max(newest_ms, observed_ms)

    def voice(self, subject: str, at_ms: int) -> Voice | None:
        """Return how often the press writes of a subject.

        None when nobody looked lately, or for too few hours. The tone is told where it is loud.
        """
        looked_ms = self._newest_look(subject)
        if at_ms - looked_ms >= self._settings.social_freshness_s[-1] * _MS_PER_S:
            return None
        usual = self._baseline(subject, looked_ms // HOUR_MS)
        if usual is None:
            return None
        ratio = self._count(subject, looked_ms - HOUR_MS, looked_ms) / usual.mean
        is_loud = usual.is_growing or ratio > self._settings.social_spike_ratio
        tone = self.tone(subject, looked_ms) if is_loud else nan
        return Voice(NEWS, ratio, usual.is_growing, tone, looked_ms)

    def tone(self, subject: str, at_ms: int) -> float:
        """Return the mean polarity of a subject's headlines, newer ones counting more; NaN none.

        A headline weighs ``2 ** -(age / half_life)``.
        """
        half_life_ms = self._settings.social_tone_half_life_s * _MS_PER_S
        since_ms = at_ms - _TONE_HALF_LIVES * half_life_ms
        weights: list[float] = []
        values: list[float] = []
        for observed_ms, polarity in reversed(self._recent.get(subject, [])):
            if observed_ms <= since_ms:
                break
            if observed_ms <= at_ms and not isnan(polarity):
                weights.append(2.0 ** ((observed_ms - at_ms) / half_life_ms))
                values.append(weights[-1] * polarity)
        return fsum(values) / fsum(weights) if weights else nan

    def prune(self, at_ms: int) -> None:
        """Forget what is in no mean and no tone any more."""
        freshness_ms = self._settings.social_freshness_s[-1] * _MS_PER_S
        half_life_ms = self._settings.social_tone_half_life_s * _MS_PER_S
        # The last hour is counted from the same list, so it reaches back an hour at least.
        self._prune_recent(at_ms - freshness_ms - max(_TONE_HALF_LIVES * half_life_ms, HOUR_MS))
        first = at_ms // HOUR_MS - hours_kept(self._settings)
        self._ids = {one: seen for one, seen in self._ids.items() if seen // HOUR_MS >= first}
        self._bases = {one: base for one, base in self._bases.items() if base[0] >= first}
        for subject, counts in list(self._hours.items()):
            self._hours[subject] = {hour: n for hour, n in counts.items() if hour >= first}
            if not self._hours[subject]:
                del self._hours[subject]
        for subject, hours in list(self._watched.items()):
            self._watched[subject] = {hour for hour in hours if hour >= first}
            if not self._watched[subject]:
                del self._watched[subject], self._newest_look_ms[subject]

    def _prune_recent(self, until_ms: int) -> None:
        for subject, recent in list(self._recent.items()):
            del recent[: bisect_right(recent, until_ms, key=_observed)]
            if not recent:
                del self._recent[subject]

    def _newest_look(self, subject: str) -> int:
        return max(self._newest_look_ms.get(each, _NEVER) for each in (subject, MARKET))

    def _count(self, subject: str, after_ms: int, until_ms: int) -> int:
        recent = self._recent.get(subject, [])
        first, last = (bisect_right(recent, edge, key=_observed) for edge in (after_ms, until_ms))
        return last - first

    def _baseline(self, subject: str, hour: int) -> Baseline | None:
        held = self._bases.get(subject)
        if held is None or held[0] != hour:
            watched = self._watched.get(subject, set()) | self._watched.get(MARKET, set())
            counts = self._hours.get(subject, {})
            rates = {each: float(counts.get(each, 0)) for each in watched}
            held = self._bases[subject] = (hour, baseline(rates, hour, self._settings))
        return held[1]

    def _forget_base(self, subject: str, hour: int) -> None:
        if subject in self._bases and hour < self._bases[subject][0]:
            del self._bases[subject]

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {
            "ids": dict(self._ids),
            "hours": [
                [one, [list(each) for each in counts.items()]]
                for one, counts in self._hours.items()
            ],
            "recent": {
                one: [[when, None if isnan(tone) else tone] for when, tone in recent]
                for one, recent in self._recent.items()
            },
            "watched": {one: sorted(hours) for one, hours in self._watched.items()},
            "looks": dict(self._newest_look_ms),
        }

    def load(self, document: dict[str, Any]) -> None:
        """Take what `to_json` gave; an error of the builtin kinds when it is something else."""
        self._ids = {str(one): int(seen) for one, seen in document["ids"].items()}
        self._hours = {
            str(one): {int(hour): int(n) for hour, n in counts} for one, counts in document["hours"]
        }
        self._recent = {
            str(one): [(int(when), nan if tone is None else float(tone)) for when, tone in recent]
            for one, recent in document["recent"].items()
        }
        self._watched = {
            one: {int(hour) for hour in hours} for one, hours in document["watched"].items()
        }
        self._newest_look_ms = {one: int(document["looks"][one]) for one in self._watched}


def _observed(row: tuple[int, float]) -> int:
    return row[0]

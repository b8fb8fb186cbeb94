"""Fear & Greed, GDELT, LunarCrush and X: what the crowd and the press feel, and how loud they are.

Moods follow the last days of BTC in the generated market. Shapes:
https://alternative.me/crypto/fear-and-greed-index/,
https://blog.gdeltproject.org/gdelt-doc-2-0-api-debuts/, https://lunarcrush.com/developers/api and
https://docs.x.com/x-api/posts/counts.
"""

import re
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Final

import numpy as np

from external_layers.replay.answer import Answer
from external_layers.replay.outside.asked import Asked, Refused, demand, unknown
from external_layers.replay.outside.scene import DAY_MS, HOUR_MS, Scene
from external_layers.replay.outside.script import FearGreedFact, ToneFact
from external_layers.replay.outside.walks import noise, wander, wander_at

_NEUTRAL: Final = 50
_MOOD_SPREAD: Final = 13.0  # of the index, beside what the market does
_MOOD_PERSISTENCE: Final = 0.9  # a day
_MOOD_RESPONSE: Final = 250.0  # points for a doubling in the days before
_MOOD_DAYS: Final = 5
_MOOD_RANGE: Final = (3, 97)
_DAYS: Final = 400  # of the index's past
_CLASSES: Final = (
    (25, "Extreme Fear"), (46, "Fear"), (55, "Neutral"), (76, "Greed"), (101, "Extreme Greed"),
)  # fmt: skip
_STEP_MS: Final = 900_000
_STEPS: Final = 96  # of the tone's day
_TONE_SPREAD: Final = 1.2
_TONE_PERSISTENCE: Final = 0.98  # a step
_TONE_RESPONSE: Final = 30.0  # for a doubling in a day
_CALM_TONE: Final = 0.001  # exactly 0 is what the service says of no articles
_POSTS: Final = 300_000.0  # a day about the largest coin
_LOUDNESS: Final = 0.25  # standard deviation of its logarithm
_LOUD_PERSISTENCE: Final = 0.9  # an hour
_LOUD_RESPONSE: Final = 8.0  # for a move of a day
_X_DAYS: Final = 7
_CASHTAG: Final = re.compile(r"[#$]([A-Za-z0-9]+)")
_MS_PER_S: Final = 1_000


class Crowd:
    """The services."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._moods: dict[tuple[int, ...], int] = {}

    # ---- Fear & Greed ----

    def alternative_me(self, asked: Asked) -> Answer:
        """Answer as the index: so many days, the newest first; all of them for ``limit=0``."""
        if asked.path not in ("/fng/", "/fng"):
            raise unknown(asked)
        count = asked.whole("limit", 1, _DAYS) or _DAYS
        today = self._scene.now_ms // DAY_MS
        rows: list[dict[str, Any]] = []
        for day in range(today, today - count, -1):
            value = self.index(day)
            rows.append(
                {
                    "value": str(value),
                    "value_classification": next(name for top, name in _CLASSES if value < top),
                    "timestamp": str(day * DAY_MS // _MS_PER_S),
                }
            )
        left_s = ((today + 1) * DAY_MS - self._scene.now_ms) // _MS_PER_S
        rows[0]["time_until_update"] = str(left_s)
        return Answer({"name": "Fear and Greed Index", "data": rows, "metadata": {"error": None}})

    def index(self, day: int) -> int:
        """Return the index of a UTC day of the wall clock."""
        told = self._scene.script.last(FearGreedFact, (day + 1) * DAY_MS - 1)
        if told is not None:
            return round(told.value)
        if self._scene.script.is_calm:
            return _NEUTRAL
        market = self._scene.market
        key = (day, market.shift_minutes, market.revision)
        if key not in self._moods:
            self._moods[key] = self._mood(day)
        return self._moods[key]

    def _mood(self, day: int) -> int:
        start_ms = day * DAY_MS
        place = self._scene.market_day(start_ms)
        own = float(wander(self._scene.seed, ("mood",), place, 1, _MOOD_PERSISTENCE)[0])
        risen = self._scene.change("BTC", _MOOD_DAYS * DAY_MS, start_ms)
        mood = _NEUTRAL + _MOOD_SPREAD * own + _MOOD_RESPONSE * risen
        return round(float(np.clip(mood, *_MOOD_RANGE)))

    # ---- GDELT ----

    def gdelt(self, asked: Asked) -> Answer:
        """Answer as GDELT's timeline of the tone, the running step included."""
        if asked.path != "/api/v2/doc/doc":
            raise unknown(asked)
        if asked.params.get("mode", "").lower() != "timelinetone":
            return Answer(b"Invalid mode.\n", content_type="text/html")
        last = self._scene.now_ms // _STEP_MS
        rows = [
            {"date": _time(step * _STEP_MS, "%Y%m%dT%H%M%SZ"), "value": self._tone(step)}
            for step in range(last - _STEPS + 1, last + 1)
        ]
        details = {"title": asked.params.get("query", ""), "date_resolution": "15m"}
        return Answer(
            {"query_details": details, "timeline": [{"series": "Average Tone", "data": rows}]}
        )

    def _tone(self, step: int) -> float:
        told = self._scene.script.last(ToneFact, self._scene.now_ms)
        if told is not None:
            return told.value
        if self._scene.script.is_calm:
            return _CALM_TONE
        at_ms = step * _STEP_MS
        place = (at_ms + self._scene.shift_ms) // _STEP_MS
        own = float(wander(self._scene.seed, ("tone",), place, 1, _TONE_PERSISTENCE)[0])
        risen = self._scene.change("BTC", DAY_MS, at_ms)
        return round(_TONE_SPREAD * own + _TONE_RESPONSE * risen, 4)

    # ---- LunarCrush ----

    def lunarcrush(self, asked: Asked) -> Answer:
        """Answer as LunarCrush's list of coins, the largest first."""
        demand(asked.bearer(), {"error": "no valid API key"})
        if asked.path != "/api4/public/coins/list/v2":
            raise unknown(asked)
        now_ms, names = self._scene.now_ms, list(self._scene.tokens)
        rows = [self._coin(rank, token) for rank, token in enumerate(names, start=1)]
        page = rows[: asked.whole("limit", 100, 1_000)]
        config = {
            "sort": asked.params.get("sort", "market_cap_rank"),
            "desc": False,
            "limit": len(page),
            "page": 0,
            "total_rows": len(rows),
            "generated": now_ms // _MS_PER_S,
        }
        return Answer({"config": config, "data": page})

    def _coin(self, rank: int, token: str) -> dict[str, Any]:
        scene, now_ms = self._scene, self._scene.now_ms
        posts = _POSTS / rank * self._loudness(token, now_ms)
        risen = scene.change(token, DAY_MS, now_ms)
        mood = 0.0 if scene.script.is_calm else 300.0 * risen
        price = scene.price(token, now_ms)
        return {
            "id": rank,
            "symbol": token,
            "name": token,
            "price": price if np.isfinite(price) else None,
            "percent_change_24h": round(risen * 100, 4),
            "market_cap": 2e12 / rank,
            "market_cap_rank": rank,
            "interactions_24h": round(posts * 500),
            "social_volume_24h": round(posts),
            "social_dominance": 50.0 / rank,
            "market_dominance": 50.0 / rank,
            "galaxy_score": 55.0,
            "alt_rank": rank,
            "sentiment": round(float(np.clip(_NEUTRAL + mood, 5, 95))),
            "categories": "layer-1",
            "topic": token.lower(),
        }

    def _loudness(self, token: str, at_ms: int) -> float:
        """Return how much is said about a token, 1 = as usual."""
        if self._scene.script.is_calm:
            return 1.0
        hour = (at_ms + self._scene.shift_ms) / HOUR_MS
        own = wander_at(self._scene.seed, ("loud", token), hour, _LOUD_PERSISTENCE)
        moved = abs(self._scene.change(token, DAY_MS, at_ms))
        return float(np.exp(_LOUDNESS * own + min(1.5, _LOUD_RESPONSE * moved)))

    # ---- X ----

    def x(self, asked: Asked) -> Answer:
        """Answer as X's counts of recent posts by the hour, the parts at both ends included."""
        demand(asked.bearer(), {"title": "Unauthorized", "type": "about:blank", "status": 401})
        if asked.path != "/2/tweets/counts/recent":
            raise unknown(asked)
        named = _CASHTAG.search(asked.params.get("query", ""))
        if not asked.params.get("query"):
            raise Refused(400, {"errors": [{"message": "query is required"}]})
        token = named[1].upper() if named else "other"
        now_ms = self._scene.now_ms
        start_ms = now_ms - _X_DAYS * DAY_MS
        edges = [start_ms, *range(-(-start_ms // HOUR_MS) * HOUR_MS, now_ms, HOUR_MS), now_ms]
        rows: list[dict[str, Any]] = [
            {
                "start": _time(start, "%Y-%m-%dT%H:%M:%S.000Z"),
                "end": _time(end, "%Y-%m-%dT%H:%M:%S.000Z"),
                "tweet_count": self._posts(token, start, end),
            }
            for start, end in pairwise(edges)
            if end > start
        ]
        total = sum(row["tweet_count"] for row in rows)
        return Answer({"data": rows, "meta": {"total_tweet_count": total}})

    def _posts(self, token: str, start_ms: int, end_ms: int) -> int:
        names = list(self._scene.tokens)
        rank = names.index(token) + 1 if token in names else len(names) + 1
        hour = (start_ms + self._scene.shift_ms) // HOUR_MS
        usual = _POSTS / 24 / rank * (end_ms - start_ms) / HOUR_MS
        if self._scene.script.is_calm:
            return round(usual)
        own = float(noise(self._scene.seed, ("posts", token), hour, 1)[0])
        return round(usual * float(np.exp(_LOUDNESS * own)))


def _time(at_ms: int, form: str) -> str:
    return datetime.fromtimestamp(at_ms // _MS_PER_S, UTC).strftime(form)

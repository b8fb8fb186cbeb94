"""What the sidecar says, read once per close and kept: a failure leaves what was known before.

What is kept fades by its age, so an outage lowers the scores' reliability and nothing else.
"""

import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pandas import DataFrame

from scalp_strategy.contract import CANDLE_MS, MARKET_WIDE, Component
from scalp_strategy.errors import ConfigError, ScalpError
from scalp_strategy.layers.answer import Answer, Ask, Transport
from scalp_strategy.layers.bounded import BoundedCall
from scalp_strategy.layers.candles import (
    TIMEFRAMES_MS,
    candle_frame,
    merged_candles,
    no_candles,
    unbroken_until,
)
from scalp_strategy.layers.http_transport import HttpTransport
from scalp_strategy.layers.memory import WordsFile
from scalp_strategy.layers.redis_transport import RedisTransport
from scalp_strategy.layers.series import ComponentSeries, Floats, between, joined, series_of
from scalp_strategy.setting_groups.layer_rules import rules_of
from scalp_strategy.settings import Settings

logger = logging.getLogger(__name__)

_MS_PER_S: Final = 1_000
_PAIRS_AT_ONCE: Final = 20


@dataclass(frozen=True, slots=True)
class RefreshReport:
    """What a refresh brought.

    Attributes
    ----------
    close_ms
        The close it was for.
    asked
        Pairs that were asked for; 0 when everything was held already.
    answered
        Pairs that are complete up to the close now.
    components, dropped
        Rows that came, and rows that were not understood.
    problem
        Why not everything came; None when it did.
    """

    close_ms: int
    asked: int = 0
    answered: int = 0
    components: int = 0
    dropped: int = 0
    problem: str | None = None


def live_source(
    settings: Settings, environment: Mapping[str, str], memory: Path | None = None
) -> "LiveSource":
    """Return the source that the settings name.

    Parameters
    ----------
    settings
        `sidecar.transport`, `sidecar.url`.
    environment
        `SCALP_LAYERS_TOKEN` for HTTP, `REDIS_URL` for Redis.
    memory
        The file in which the last words outlive a restart; None = they do not.

    Raises
    ------
    ConfigError
        The address is malformed, or Redis has none.
    """
    sidecar = settings.sidecar
    words = None if memory is None else WordsFile(memory)
    if sidecar.transport == "redis":
        url = environment.get("REDIS_URL", "")
        if not url:
            raise ConfigError("sidecar.transport is redis: REDIS_URL must be set")
        layers = tuple(rules.layer for rules in rules_of(settings))
        return LiveSource(settings, RedisTransport(url, layers, sidecar.timeout_s), words)
    if not sidecar.url:
        return LiveSource(settings, None)
    token = environment.get("SCALP_LAYERS_TOKEN", "")
    return LiveSource(settings, HttpTransport(sidecar.url, token, sidecar.timeout_s), words)


class LiveSource:
    """The latest components and candles of every pair asked for; a `LayerSource`.

    Parameters
    ----------
    settings
        Time limit, candles kept, how long rows are remembered.
    transport
        The way to the sidecar; None = there is no sidecar, nothing is ever known.
    memory
        Where what was said last outlives a restart; None = it does not.
    """

    def __init__(
        self, settings: Settings, transport: Transport | None, memory: WordsFile | None = None
    ) -> None:
        self._transport = transport
        self._timeout_s = settings.sidecar.timeout_s
        self._candle_limit = settings.sidecar.candle_rows
        rules = rules_of(settings)
        self._layers = frozenset(one.layer for one in rules)
        # One candle more: what was said exactly so long ago still counts as opposition.
        self._window_ms = settings.confluence.opposition_max_age_s * _MS_PER_S + CANDLE_MS
        self._kept_ms = self._window_ms + max(one.horizon_ms for one in rules)
        self._rows: dict[tuple[str, str], dict[str, ComponentSeries]] = {}
        self._candles: dict[tuple[str, str], Floats] = {}
        self._held_ms: dict[str, int] = {}
        self._late: set[str] = set()
        self._call = BoundedCall()
        self._problem: str | None = None
        self._is_dropping = False
        self._memory = memory
        if memory is not None:
            self._add(memory.load())

    def refresh(self, close_ms: int, pairs: Collection[str]) -> RefreshReport:
        """Ask for what is not held yet of these pairs at a close; never raises.

        Parameters
        ----------
        close_ms
            A 15m close, epoch milliseconds.
        pairs
            Freqtrade's names; a pair not asked for again is forgotten in time.

        Notes
        -----
        At most one attempt a call, within `sidecar.timeout_s` as a whole. After a failure what was
        held stays, and the next call asks for all that was missed.
        """
        asks = self._asks(close_ms, tuple(dict.fromkeys(pairs)))
        if self._transport is None or not asks:
            return RefreshReport(close_ms)
        answers, problem = self._answers(self._transport, asks)
        for answer in answers:
            self._take(answer)
        complete = self._mark_held(close_ms, asks, answers)
        self._mark_late(close_ms, answers)
        if answers:
            self._forget(close_ms)
            self._remember()
        dropped = sum(answer.dropped for answer in answers)
        self._tell(problem, dropped, is_answered=bool(answers))
        return RefreshReport(
            close_ms,
            asked=len({pair for ask in asks for pair in ask.pairs}),
            answered=complete,
            components=sum(len(answer.components) for answer in answers),
            dropped=dropped,
            problem=problem,
        )

    def series(
        self, layer: str, pair: str, since_ms: int, until_ms: int
    ) -> Mapping[str, ComponentSeries]:
        """Return what is held; see `LayerSource.series`."""
        return between(self._rows.get((layer, pair), {}), since_ms, until_ms)

    def candles(self, pair: str, timeframe: str) -> DataFrame | None:
        """Return the closed candles of a pair, None when there are none.

        Parameters
        ----------
        pair
            Freqtrade's name.
        timeframe
            ``"5m"`` or ``"1m"``.

        Returns
        -------
        DataFrame or None
            Freqtrade's columns, oldest first, at most `sidecar.candle_rows`, however old; the
            timeframe check leaves late ones unknown by itself.
        """
        rows = self._candles.get((pair, timeframe))
        return None if rows is None or not len(rows) else candle_frame(rows)

    def _asks(self, close_ms: int, pairs: tuple[str, ...]) -> list[Ask]:
        """Questions for what is missing: rows since the last close held, and what new pairs need.

        A pair is new too when it was away for too long, or the time was set back. Its candles,
        and those of a pair for which the sidecar is still gathering them, are asked for as a whole.
        """
        missing = [
            pair for pair in pairs if self._held_ms.get(pair) != close_ms or pair in self._late
        ]
        if self._transport is None or not self._transport.has_history:
            return _in_parts(missing, close_ms)
        start = close_ms - self._window_ms
        since = {pair: self._complete_ms(pair) for pair in missing}
        known = [pair for pair in missing if start <= since[pair] < close_ms]
        new = [pair for pair in missing if pair not in known]
        whole = new + [pair for pair in known if self._is_short_of_candles(pair)]
        return [
            *_in_parts(known, close_ms, min((since[pair] for pair in known), default=start)),
            *_in_parts(new, close_ms, start),
            *_in_parts(whole, close_ms),
        ]

    def _complete_ms(self, pair: str) -> int:
        """Return up to when a pair's rows and candles are without a hole, -1 for a new pair."""
        held = self._held_ms.get(pair, -1)
        rows = {frame: self._candles.get((pair, frame)) for frame in TIMEFRAMES_MS}
        ends = [unbroken_until(each, frame) for frame, each in rows.items() if each is not None]
        return min([held, *ends])

    def _is_short_of_candles(self, pair: str) -> bool:
        counts = [len(self._candles.get((pair, frame), ())) for frame in TIMEFRAMES_MS]
        return min(counts) < self._candle_limit

    def _answers(self, transport: Transport, asks: list[Ask]) -> tuple[list[Answer], str | None]:
        """Answers in time, and what went wrong; state is not touched in the thread."""
        answers: list[Answer] = []
        try:
            problem = self._call.run(lambda: _fetch(transport, asks, answers), self._timeout_s)
        except Exception as error:  # noqa: BLE001  # whatever it is, the last scores must serve
            transport.drop()
            problem = _text(error)
        return answers.copy(), problem

    def _add(self, components: Iterable[Component]) -> None:
        by_name: dict[tuple[str, str, str], list[Component]] = defaultdict(list)
        for one in components:
            if one.layer in self._layers:
                by_name[one.layer, one.pair, one.name].append(one)
        for (layer, pair, name), rows in by_name.items():
            held = self._rows.setdefault((layer, pair), {})
            new = series_of(rows)
            held[name] = joined([held[name], new]) if name in held else new

    def _remember(self) -> None:
        """Keep the last words over a restart."""
        if self._memory is not None:
            self._memory.save(
                series.component(row, layer, name, pair)
                for (layer, pair), held in self._rows.items()
                for name, series in held.items()
                for row in series.last_words()
            )

    def _take(self, answer: Answer) -> None:
        self._add(answer.components)
        for key, rows in answer.candles.items():
            held_rows = self._candles.get(key, no_candles())
            self._candles[key] = merged_candles(held_rows, rows, self._candle_limit)

    def _mark_held(self, close_ms: int, asks: list[Ask], answers: list[Answer]) -> int:
        """Note up to when each pair is complete: when all that was asked of it was answered."""
        answered = dict(zip(asks, answers, strict=False))
        asked = {pair for ask in asks for pair in ask.pairs}
        complete = 0
        for pair in asked:
            own = [answered.get(ask) for ask in asks if pair in ask.pairs]
            until = [one.at_ms for one in own if one is not None and pair in one.pairs]
            if len(until) == len(own):
                self._held_ms[pair] = min(until)
                complete += min(until) == close_ms
        return complete

    def _mark_late(self, close_ms: int, answers: list[Answer]) -> None:
        """Note the pairs that have candles, but not those that ended at the close: ask again."""
        for pair in {pair for answer in answers for pair in answer.pairs}:
            has_candles = any((pair, frame) in self._candles for frame in TIMEFRAMES_MS)
            is_late = has_candles and self._complete_ms(pair) < close_ms
            (self._late.add if is_late else self._late.discard)(pair)

    def _forget(self, close_ms: int) -> None:
        """Drop what is too old, and what is of a later time than this: the clock was set back."""
        start = close_ms - self._kept_ms
        self._held_ms = {pair: at for pair, at in self._held_ms.items() if start <= at <= close_ms}
        self._late &= self._held_ms.keys()
        pairs = {*self._held_ms, MARKET_WIDE}
        self._rows = {
            key: between(held, start, close_ms)
            for key, held in self._rows.items()
            if key[1] in pairs
        }
        self._candles = {
            (pair, frame): rows[rows[:, 0] <= close_ms - TIMEFRAMES_MS[frame]]
            for (pair, frame), rows in self._candles.items()
            if pair in pairs
        }

    def _tell(self, problem: str | None, dropped: int, *, is_answered: bool) -> None:
        """Log a failure once and the recovery once, and rows that were dropped once."""
        if problem is not None and self._problem is None:
            logger.warning(
                "The sidecar's scores could not be read (%s); the last ones serve, and fade.",
                problem,
            )
        elif problem is None and self._problem is not None:
            logger.warning("The sidecar's scores are read again.")
        self._problem = problem
        if dropped and not self._is_dropping:
            logger.warning("%d rows of the sidecar were not understood and are left out.", dropped)
        if is_answered:
            self._is_dropping = dropped > 0


def _fetch(transport: Transport, asks: list[Ask], answers: list[Answer]) -> str | None:
    """Add the answers up to the first failure, and return the failure."""
    for ask in asks:
        try:
            answers.append(transport.fetch(ask))
        except ScalpError as error:
            return _text(error)
    return None


def _in_parts(pairs: Sequence[str], close_ms: int, since_ms: int | None = None) -> list[Ask]:
    """Questions for so few pairs each that one that is late does not cost the others' answers."""
    starts = range(0, len(pairs), _PAIRS_AT_ONCE)
    parts = (tuple(pairs[start : start + _PAIRS_AT_ONCE]) for start in starts)
    return [Ask(part, close_ms, since_ms) for part in parts]


def _text(error: Exception) -> str:
    # The text of a foreign error may quote what it could not read or send.
    return str(error) if isinstance(error, ScalpError) else type(error).__name__

"""Which pairs are active: the best that qualify, with hysteresis (pure).

Who leaves
    - at once: a pair the exchange no longer lists, one whose known volume is not above the floor,
      one whose known score is below the threshold minus `exit_score_margin`;
    - after `exit_scans` scans in a row: one that a filter refuses or whose score is unknown;
    - when more than `max_pairs` are left: the weakest.

Who joins
    Only pairs that qualify and rank among the best `max_pairs`, active ones included: at once when
    fewer than `min_pairs` are active or when their score beats the weakest active pair's by more
    than `entry_score_margin`, else after `entry_scans` scans in a row among the best.

The list is never filled up with pairs that do not qualify.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, isnan
from typing import Any, Final, Literal

import msgspec

from external_layers.scanner.metrics import PairMetrics
from scalp_strategy.errors import PayloadError
from scalp_strategy.setting_groups.scanner import ScannerSettings

PAIR_ADDED: Final = "pair_added"
PAIR_REMOVED: Final = "pair_removed"
_NOT_LISTED: Final = "no longer traded on the exchange"


class ActivePair(msgspec.Struct, frozen=True):
    """An active pair: since when, its last known score, scans in a row that it failed."""

    since_ms: int
    score: float
    failed_scans: int = 0


class SelectionState(msgspec.Struct, frozen=True):
    """What one selection hands to the next.

    Attributes
    ----------
    active
        Active pairs by name, best first.
    waiting
        Scans in a row in which a pair that is not active ranked among the best.
    """

    active: dict[str, ActivePair] = {}
    waiting: dict[str, int] = {}


@dataclass(frozen=True, slots=True)
class PairEvent:
    """A pair that joined or left the active list, and why."""

    kind: Literal["pair_added", "pair_removed"]
    pair: str
    reason: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Selection:
    """The active list after a scan.

    Attributes
    ----------
    state
        For the next selection.
    active
        Pairs by score, best first, equal ones by name; at most `max_pairs`.
    changes
        Who joined and who left, in order of name, leavers first.
    shortage
        In words, when fewer pairs are active than are aimed for; else None.
    """

    state: SelectionState
    active: tuple[str, ...]
    changes: tuple[PairEvent, ...]
    shortage: str | None


def select(
    previous: SelectionState,
    metrics: Mapping[str, PairMetrics],
    settings: ScannerSettings,
    now_ms: int,
) -> Selection:
    """Return the active list that follows from the previous one and a scan.

    Parameters
    ----------
    previous
        State of the selection before; the empty state at the first.
    metrics
        Of every pair that the exchange lists, by pair.
    settings
        Thresholds, sizes and hysteresis.
    now_ms
        Time of the scan, epoch milliseconds.
    """
    kept, leaving = _kept(previous, metrics, settings)
    newcomers = {
        pair: each.opportunity_score
        for pair, each in metrics.items()
        if each.qualified and pair not in previous.active
    }
    waiting = _waiting(previous, kept, newcomers, settings)
    joining = {
        pair: ActivePair(now_ms, newcomers[pair])
        for pair in waiting
        if _may_join(newcomers[pair], waiting[pair], kept, settings)
    }
    ranked = _ranked({pair: each.score for pair, each in (kept | joining).items()})
    chosen, surplus = ranked[: settings.max_pairs], ranked[settings.max_pairs :]
    leaving |= {
        pair: f"{settings.max_pairs} others rank above its score of {kept[pair].score:.2f}"
        for pair in surplus
        if pair in kept
    }
    added = {pair: joining[pair] for pair in chosen if pair in joining}
    return Selection(
        SelectionState(
            {pair: added.get(pair) or kept[pair] for pair in chosen},
            {pair: scans for pair, scans in waiting.items() if pair not in added},
        ),
        tuple(chosen),
        _events(leaving, added, now_ms),
        _shortage(len(chosen), settings),
    )


def state_to_json(state: SelectionState) -> dict[str, Any]:
    """Return a state as JSON values, so that a restart remembers."""
    plain: dict[str, Any] = msgspec.to_builtins(state)
    return plain


def state_from_json(value: Any) -> SelectionState:
    """Return the state of JSON values made by `state_to_json`.

    Raises
    ------
    PayloadError
        When it is none.
    """
    try:
        return msgspec.convert(value, SelectionState)
    except msgspec.ValidationError as error:
        raise PayloadError(f"no state of the pair list: {error}") from error


def _kept(
    previous: SelectionState, metrics: Mapping[str, PairMetrics], settings: ScannerSettings
) -> tuple[dict[str, ActivePair], dict[str, str]]:
    """Split the active pairs into those that stay and, with the reason, those that leave."""
    kept: dict[str, ActivePair] = {}
    leaving: dict[str, str] = {}
    for pair, active in previous.active.items():
        now = metrics.get(pair)
        reason = _NOT_LISTED if now is None else _leaves_at_once(now, settings)
        if now is None or reason is not None:
            leaving[pair] = reason or _NOT_LISTED
            continue
        after = _scanned(active, now, settings)
        if after.failed_scans >= settings.hysteresis.exit_scans:
            leaving[pair] = f"{'; '.join(now.reasons)}, {after.failed_scans} scans in a row"
        else:
            kept[pair] = after
    return kept, leaving


def _leaves_at_once(now: PairMetrics, settings: ScannerSettings) -> str | None:
    if now.volume_24h <= settings.min_volume_usdt:
        return (
            f"24 h volume {now.volume_24h:,.0f} USDT is not above {settings.min_volume_usdt:,.0f}"
        )
    least = settings.min_opportunity_score - settings.hysteresis.exit_score_margin
    if now.opportunity_score < least:
        return f"opportunity score {now.opportunity_score:.2f} is below {least:g}"
    return None


def _scanned(active: ActivePair, now: PairMetrics, settings: ScannerSettings) -> ActivePair:
    """Return an active pair after a scan; while its score is unknown the last one counts."""
    is_unknown = isnan(now.opportunity_score)
    score = active.score if is_unknown else now.opportunity_score
    has_failed = is_unknown or not now.qualified
    failed = min(active.failed_scans + 1, settings.hysteresis.exit_scans) if has_failed else 0
    return ActivePair(active.since_ms, score, failed)


def _waiting(
    previous: SelectionState,
    kept: Mapping[str, ActivePair],
    newcomers: Mapping[str, float],
    settings: ScannerSettings,
) -> dict[str, int]:
    """Return for how many scans each newcomer among the best has been there."""
    scores = {pair: each.score for pair, each in kept.items()} | dict(newcomers)
    most = settings.hysteresis.entry_scans
    return {
        pair: min(previous.waiting.get(pair, 0) + 1, most)
        for pair in _ranked(scores)[: settings.max_pairs]
        if pair in newcomers
    }


def _may_join(
    score: float, scans: int, kept: Mapping[str, ActivePair], settings: ScannerSettings
) -> bool:
    weakest = min((each.score for each in kept.values()), default=-inf)
    return (
        len(kept) < settings.min_pairs
        or scans >= settings.hysteresis.entry_scans
        or score > weakest + settings.hysteresis.entry_score_margin
    )


def _ranked(scores: Mapping[str, float]) -> list[str]:
    return sorted(scores, key=lambda pair: (-scores[pair], pair))


def _events(
    leaving: Mapping[str, str], added: Mapping[str, ActivePair], now_ms: int
) -> tuple[PairEvent, ...]:
    left = [PairEvent(PAIR_REMOVED, pair, leaving[pair], now_ms) for pair in sorted(leaving)]
    joined = [
        PairEvent(PAIR_ADDED, pair, f"opportunity score {added[pair].score:.2f}", now_ms)
        for pair in sorted(added)
    ]
    return (*left, *joined)


def _shortage(count: int, settings: ScannerSettings) -> str | None:
    if count >= settings.min_pairs:
        return None
    return f"{count} active pairs, at least {settings.min_pairs} are aimed for: no more qualify"

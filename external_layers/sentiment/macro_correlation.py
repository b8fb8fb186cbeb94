"""Macro: what shares, the dollar and yields do, and moves that stop everything.

Moves within the hour may raise DANGER and EXTREME; daily series know calm, positive and negative
only, and speak when nothing is told within the day. An EXTREME move counts until an hour after it
became known, whatever comes then.
"""

from math import fsum
from typing import Final, NamedTuple

from external_layers.anchors import NEUTRAL, Curve, directional
from external_layers.evidence import Evidence, unknown
from external_layers.sentiment import words
from external_layers.sentiment.inputs import BTC, Inputs, Moment
from external_layers.sentiment.macro_moves import (
    DOLLAR_HOUR,
    SP500_HOUR,
    MacroInput,
    Move,
    day_moves,
    hour_move,
    hour_moves,
)
from external_layers.sentiment.trend import hour_move_pct
from scalp_strategy.contract import MARKET_WIDE, alarm_closes, leaps, passes
from scalp_strategy.contract.alarms import ALARM_MS
from scalp_strategy.setting_groups.breakers import BreakerSettings
from scalp_strategy.setting_groups.sentiment import SentimentSettings

FLAG: Final = "macro"
_LAST_HOUR: Final = "in the last hour"


class Alarm(NamedTuple):
    """A move that is more than hostile.

    Attributes
    ----------
    state
        ``"DANGER"`` or ``"EXTREME"``.
    text
        The move in words.
    observed_ms
        When it was true.
    is_macro
        Whether it came from outside; a move of BTC itself says nothing of macro's direction.
    """

    state: str
    text: str
    observed_ms: int
    is_macro: bool


def macro_scores(net: float, settings: SentimentSettings) -> tuple[float, float]:
    """Return support for long and short from the net strength of all moves.

    Calm below `macro_calm_share`: 50. Helpful: 65 there, 75 from one full move on. Hostile: 35
    there, 25 from one full move on.

    Parameters
    ----------
    net
        Sum of the moves' strengths, 1 = one full helpful move.
    settings
        The anchors.
    """
    calm = settings.macro_calm_share
    if abs(net) < calm:
        return NEUTRAL, NEUTRAL
    worst, mild = settings.macro_negative_scores
    anchors = settings.macro_positive_scores if net > 0 else (mild, worst)
    return directional(Curve((calm, 1.0), anchors)(abs(net)))


def macro_correlation(inputs: Inputs, moment: Moment) -> dict[str, Evidence]:
    """Return what macro says, with the flag of its state."""
    settings = inputs.settings.sentiment
    alarm = _extreme(inputs, moment) or _danger(inputs, moment.at_ms)
    moves = hour_moves(inputs.readings, moment.at_ms, settings)
    span = _LAST_HOUR
    if not moves:
        moves, span = day_moves(inputs.readings, moment.at_ms, settings), "on the last day"
    usual = _usual(moves, span, settings)
    return {MARKET_WIDE: usual if alarm is None else _alarmed(alarm, usual, settings)}


def _usual(moves: list[Move], span: str, settings: SentimentSettings) -> Evidence:
    if not moves:
        return unknown()
    net = fsum(move.strength(settings) for move in moves)
    scores = macro_scores(net, settings)
    observed_ms = min(move.observed_ms for move in moves)
    if scores[0] == NEUTRAL == scores[1]:
        return Evidence(*scores, "", observed_ms, (f"{FLAG}=CALM",))
    leaning = [move.text for move in moves if move.strength(settings) * net > 0.0]
    state = "POSITIVE" if net > 0.0 else "NEGATIVE"
    reason = f"{words.listed(leaning)} {span}"
    return Evidence(*scores, reason, observed_ms, (f"{FLAG}={state}",))


def _alarmed(alarm: Alarm, usual: Evidence, settings: SentimentSettings) -> Evidence:
    # An alarm is told even where nothing else is known, then without scores.
    long, short = usual.long, usual.short
    if alarm.is_macro:
        long, short = directional(settings.macro_negative_scores[0])
    return Evidence(long, short, alarm.text, alarm.observed_ms, (f"{FLAG}={alarm.state}",))


def _extreme(inputs: Inputs, moment: Moment) -> Alarm | None:
    limits = inputs.settings.breakers
    for of in (SP500_HOUR, DOLLAR_HOUR):
        for known_ms in _news_of_the_hour(of, inputs, moment.at_ms):
            move = hour_move(inputs.readings, of, known_ms, inputs.settings.sentiment)
            if move is not None and _passes(move, limits, "pause"):
                return _alarm("EXTREME", move, "within an hour")
    return _btc_extreme(moment, limits)


def _news_of_the_hour(of: MacroInput, inputs: Inputs, at_ms: int) -> list[int]:
    instants: set[int] = set()
    for history in inputs.readings.histories(of.series):
        instants.update(history.news(at_ms - ALARM_MS, at_ms))
    return sorted(instants, reverse=True)


def _btc_extreme(moment: Moment, limits: BreakerSettings) -> Alarm | None:
    candles = moment.candles_of(BTC)
    for close_ms in alarm_closes(moment.at_ms):
        change = hour_move_pct(candles, close_ms)
        if leaps(change, limits.macro_btc_move_pct):
            text = f"Macro EXTREME: BTC {words.percent(change)} within an hour"
            return Alarm("EXTREME", text, close_ms, is_macro=False)
    return None


def _danger(inputs: Inputs, at_ms: int) -> Alarm | None:
    for move in hour_moves(inputs.readings, at_ms, inputs.settings.sentiment):
        if _passes(move, inputs.settings.breakers, "danger"):
            return _alarm("DANGER", move, _LAST_HOUR)
    return None


def _passes(move: Move, limits: BreakerSettings, name: str) -> bool:
    series = "sp500" if move.of is SP500_HOUR else "dxy"
    limit: float = getattr(limits, f"macro_{series}_{name}_pct")
    return passes(move.change, limit)


def _alarm(state: str, move: Move, span: str) -> Alarm:
    return Alarm(state, f"Macro {state}: {move.text} {span}", move.observed_ms, is_macro=True)

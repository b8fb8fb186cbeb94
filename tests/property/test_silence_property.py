"""Losing an input never raises a score while opposition counts: every layer, every reader."""

from collections.abc import Callable
from dataclasses import replace
from math import nan
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from scalp_strategy.confluence import confluence
from scalp_strategy.contract import (
    COMPONENT_LAYERS,
    MARKET_WIDE,
    Component,
    LayerRules,
    Picked,
    combine_columns,
    layer_column,
)
from scalp_strategy.errors import SourceUnavailable
from scalp_strategy.layers import ArchiveSource, LayerSource, LiveSource, layer_frame
from scalp_strategy.layers.answer import Answer, Ask
from scalp_strategy.layers.memory import WordsFile
from scalp_strategy.setting_groups.layer_rules import VANISHING, rules_of
from scalp_strategy.settings import Settings
from scalp_strategy.technical import INDICATORS, technical_score
from tests.unit.layers.evidence import BTC, CANDLE_MS, START_MS, candle_dates, write_archive

SETTINGS = Settings()
RULES = {rules.layer: rules for rules in rules_of(SETTINGS)}
MEMORY_MS = SETTINGS.confluence.opposition_max_age_s * 1_000
STATES = 4_000
NOISE = 1e-9


# ---- the rule itself, over many random states ----


def random_words(random: np.random.Generator, rules: LayerRules) -> dict[str, Picked]:
    """What each component of a layer said last, and was still fresh at that instant."""
    words = {}
    for rule in rules.components:
        lag_s = min(rule.silent_from_s, rules.horizon_ms / 1_000) * random.random(STATES)
        words[rule.name] = Picked(
            random.uniform(0, 100, STATES),
            random.uniform(0, 100, STATES),
            START_MS - (lag_s * 1_000).astype(np.int64),
            np.full(STATES, START_MS),
            np.ones(STATES, dtype=np.bool_),
            {VANISHING: random.random(STATES) < 0.3},
        )
    return words


def renewed(word: Picked, at_ms: np.ndarray) -> Picked:
    """The same word, given again with the age that it had."""
    return replace(
        word, observed_at_ms=word.observed_at_ms + at_ms - START_MS, available_at_ms=at_ms
    )


@pytest.mark.parametrize("layer", COMPONENT_LAYERS)
@pytest.mark.parametrize("seed", range(2))
def test_silence_scores_at_most_what_was_said_last(layer: str, seed: int) -> None:
    random, rules = np.random.default_rng(seed), RULES[layer]
    words = random_words(random, rules)
    at_ms = START_MS + random.integers(0, MEMORY_MS + 1, STATES)
    at_last = combine_columns(words, rules, np.full(STATES, START_MS))
    speaking = {name: renewed(word, at_ms) for name, word in words.items()}
    taken = {name: random.random(STATES) < 0.5 for name in words}
    says_unknown = {name: random.random(STATES) < 0.5 for name in words}
    silent = {
        name: replace(
            word,
            observed_at_ms=np.where(taken[name], words[name].observed_at_ms, word.observed_at_ms),
            available_at_ms=np.where(taken[name], START_MS, at_ms),
            is_last_word=~(taken[name] & says_unknown[name] & (at_ms > START_MS)),
        )
        for name, word in speaking.items()
    }
    loud, quiet = (combine_columns(each, rules, at_ms) for each in (speaking, silent))
    for side in ("long", "short"):
        heard = np.nan_to_num(getattr(quiet, side), nan=50.0)
        assert (heard <= getattr(loud, side) + NOISE).all()
        # All else is as it was at the last word, so that the score then is a limit too.
        assert (heard <= getattr(at_last, side) + NOISE).all()
    assert (quiet.reliability <= loud.reliability + NOISE).all()
    assert (quiet.long < loud.long - 1.0).any(), "nothing was lost"


@pytest.mark.parametrize("seed", range(3))
def test_losing_sub_scores_never_raises_the_technical_score(seed: int) -> None:
    random = np.random.default_rng(seed)
    memory = MEMORY_MS // CANDLE_MS
    names = [f"{each.name}_{side}" for each in INDICATORS for side in ("long", "short")]
    for _ in range(200):
        said = dict.fromkeys(names, 50.0) | dict(
            zip(names, random.uniform(0, 100, 20), strict=True)
        )
        said |= {"mtf_long": random.choice([0.5, 1.0, 1.5]), "mtf_short": 1.0}
        frame = pd.DataFrame([said] * (memory + 1))
        lost = [each.name for each in INDICATORS if random.random() < 0.5][:9]
        poorer = frame.copy()
        poorer.loc[1:, [f"{name}_{side}" for name in lost for side in ("long", "short")]] = nan
        whole, partly = technical_score(frame), technical_score(poorer)
        for side in ("ta_long", "ta_short", "technical_reliability"):
            assert (partly[side] <= whole[side] + NOISE).all()


def test_the_flow_that_falls_silent_does_not_make_a_signal() -> None:
    """Technical 95, everything of order flow 80 but the trade flow, which opposes with 0."""
    rules = RULES["orderflow"]
    at_ms = START_MS + np.array([0, 299_000, 300_000, 301_000, MEMORY_MS])
    still = np.zeros(len(at_ms))
    words = {
        rule.name: Picked(still + 80.0, still + 20.0, at_ms, at_ms, still == 0.0)
        for rule in rules.components
    }
    flow = np.full(len(at_ms), START_MS)
    words["trade_flow"] = Picked(still, still + 100.0, flow, flow, still == 0.0)
    layer = combine_columns(words, rules, at_ms)
    frame = pd.DataFrame(
        {
            "date": pd.to_datetime(at_ms, unit="ms", utc=True),
            "ta_long": 95.0,
            "ta_short": 5.0,
            "technical_reliability": 1.0,
            "ta_direction": 1,
            "orderflow_long": layer.long,
            "orderflow_short": layer.short,
            "orderflow_reliability": layer.reliability,
        }
    )
    scores = confluence(frame)["confluence_long"]
    # 0.35 * 95 + 0.25 * 0.7 * 80 + 0.4 * 50 = 67.25
    assert scores.tolist() == pytest.approx([67.25] * 5)
    assert (confluence(frame)["coverage"].diff().dropna() <= NOISE).all()


# ---- the same through what reads the sidecar and the archive ----

Said = dict[tuple[str, str, str], tuple[float, float, tuple[str, ...]]]
CLOSES = 16


def random_said(random: np.random.Generator) -> Said:
    """What every component says of BTC, the market-wide ones of the market."""
    said: Said = {}
    for rules in RULES.values():
        for rule in rules.components:
            flags = (VANISHING,) if rules.penalties and random.random() < 0.2 else ()
            pair = MARKET_WIDE if rule.is_market_wide else BTC
            long, short = random.uniform(0, 100, 2)
            said[rules.layer, rule.name, pair] = float(long), float(short), flags
    return said


def rows_of(said: Said, close: int) -> list[Component]:
    at = START_MS + close * CANDLE_MS - 500
    return [
        Component(layer, name, pair, long, short, at, at, "", flags)
        for (layer, name, pair), (long, short, flags) in said.items()
    ]


def unknown_rows(said: Said, close: int) -> list[Component]:
    return [replace(one, long=nan, short=nan, flags=()) for one in rows_of(said, close)]


class Script:
    """A transport that answers with these rows, or fails while it is down."""

    has_history = True

    def __init__(self, rows: list[Component]) -> None:
        self.rows, self.is_down = rows, False

    def fetch(self, ask: Ask) -> Answer:
        if self.is_down:
            raise SourceUnavailable("down")
        answer = Answer(ask.close_ms, {*ask.pairs, MARKET_WIDE})
        answer.components += [one for one in self.rows if one.available_at_ms <= ask.close_ms]
        return answer

    def drop(self) -> None:
        """There is no connection."""


def frame_at(source: LayerSource, close: int) -> pd.Series:
    return layer_frame(source, BTC, candle_dates(1, START_MS + close * CANDLE_MS), SETTINGS).iloc[
        -1
    ]


def live_at(rows: list[Component], close: int, folder: Path, *, how: str) -> pd.Series:
    """A bot's columns at a close, when the sidecar falls silent, or everything does, after 0."""
    script, memory = Script(rows), WordsFile(folder / "words.json")
    source = LiveSource(SETTINGS, script, memory)
    source.refresh(START_MS, [BTC])
    if how == "the sidecar is down":
        script.is_down = True
    elif how == "the bot is restarted without it":
        script.is_down = True
        source = LiveSource(SETTINGS, script, WordsFile(folder / "words.json"))
    source.refresh(START_MS + close * CANDLE_MS, [BTC])
    return frame_at(source, close)


def archived_at(rows: list[Component], close: int, folder: Path, *, how: str) -> pd.Series:
    del how
    write_archive(folder, rows)
    return frame_at(ArchiveSource(folder), close)


READERS: dict[str, tuple[Callable[..., pd.Series], tuple[str, ...]]] = {
    "live": (
        live_at,
        (
            "components stop",
            "components say unknown",
            "the sidecar is down",
            "the bot is restarted without it",
        ),
    ),
    "archive": (archived_at, ("components stop", "components say unknown")),
}


@pytest.mark.parametrize(
    ("reader", "how"), [(name, how) for name, (_, ways) in READERS.items() for how in ways]
)
@pytest.mark.parametrize("seed", range(6))
def test_whatever_is_lost_no_reader_scores_more(
    reader: str, how: str, seed: int, tmp_path: Path
) -> None:
    random = np.random.default_rng(seed)
    read, _ = READERS[reader]
    said, close = random_said(random), int(random.integers(1, CLOSES + 1))
    lost = {key: value for key, value in said.items() if random.random() < 0.5}
    kept = {key: value for key, value in said.items() if key not in lost}
    before = rows_of(said, 0)
    stays = [one for at in range(1, close + 1) for one in rows_of(kept, at)]
    gone = unknown_rows(lost, 1) if how == "components say unknown" else []
    repeated = [one for at in range(1, close + 1) for one in rows_of(lost, at)]
    for name in ("loud", "quiet"):
        (tmp_path / name).mkdir()
    loud = read([*before, *stays, *repeated], close, tmp_path / "loud", how="components stop")
    quiet = read([*before, *gone, *stays], close, tmp_path / "quiet", how=how)
    for layer in COMPONENT_LAYERS:
        for field in ("long", "short", "reliability"):
            column = layer_column(layer, field)
            empty = 0.0 if field == "reliability" else 50.0
            heard = empty if np.isnan(quiet[column]) else quiet[column]
            assert heard <= loud[column] + NOISE, column

"""The macro breaker, and that regime and macro flags of the archive act in a backtest."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from math import inf, nan
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from freqtrade.enums import RunMode

from scalp_strategy.account import Account, MemoryStore
from scalp_strategy.analysed import AnalysedPair, instant_ns
from scalp_strategy.breakers.base import BreakerState
from scalp_strategy.breakers.macro_danger import MacroDanger
from scalp_strategy.contract import TIER_MEDIUM, Component
from scalp_strategy.engine import Engine, archive_path
from scalp_strategy.setting_groups.breakers import BreakerSettings
from scalp_strategy.settings import Settings
from scalp_strategy.signals import Candidate, Decision, Status, Verdict
from scalp_strategy.strategy import ScalpStrategy
from tests.support.candles import market
from tests.support.host_stub import (
    CANDLE,
    CLOSE,
    PAIR,
    StubHost,
    analysed_frame,
    desk_of,
    signal_pair,
)
from tests.support.sections import CHART_WEIGHTS
from tests.unit.layers.evidence import write_archive

pytestmark = pytest.mark.usefixtures("trades_in_memory")

BTC = "BTC/USDT:USDT"
CANDIDATE = Candidate(PAIR, "long", CLOSE, 100.0, 1.0, 84, TIER_MEDIUM, 0.8, "breakout")


def verdict(macro: str | None = "CALM", move: float = 0.0, **settings) -> Verdict:
    rules = BreakerSettings(**settings)
    account = Account(rules, MemoryStore(), resumes_next_day=True)
    return MacroDanger().check(
        replace(CANDIDATE, macro=macro), BreakerState(rules, account, (move,))
    )


# ---- the breaker ----


@pytest.mark.parametrize(
    ("macro", "move", "blocks", "factor"),
    [
        ("CALM", 0.0, False, 1.0),
        ("POSITIVE", 4.9, False, 1.0),
        ("NEGATIVE", -4.9, False, 1.0),
        ("DANGER", 0.0, False, 0.5),
        ("EXTREME", 0.0, True, 1.0),
        ("CALM", 5.0, False, 1.0),
        ("CALM", 5.001, True, 1.0),
        ("CALM", -5.001, True, 1.0),
        ("DANGER", -6.0, True, 1.0),
        ("EXTREME", 6.0, True, 1.0),
        (None, 0.0, False, 1.0),
        (None, -6.0, True, 1.0),
        ("CALM", nan, False, 1.0),
        ("EXTREME", nan, True, 1.0),
        ("DANGER", nan, False, 0.5),
        ("CALM", inf, True, 1.0),
        (None, nan, False, 1.0),
        ("extreme", 0.0, False, 1.0),
    ],
)
def test_what_it_says(macro, move, blocks, factor):
    said = verdict(macro, move)
    assert (said.blocks, said.size_factor) == (blocks, factor)
    assert bool(said.reason) or not (blocks or factor < 1)


def test_the_reason_names_what_shook_the_market():
    assert verdict("CALM", -6.04).reason == (
        "MACRO DANGER: BTC moved -6.0 % in 1 hour. All signals paused."
    )
    both = verdict("EXTREME", 7.0).reason
    assert "EXTREME" in both
    assert "+7.0 %" in both


def test_what_is_unknown_is_said_and_what_is_known_is_not():
    assert verdict("CALM", 0.0) == Verdict("macro_danger")
    assert verdict(None, 0.0).reason == "unknown: the macro state"
    assert verdict("CALM", nan).reason == "unknown: BTC's last hour"
    assert "macro state and BTC" in verdict(None, nan).reason


def test_its_thresholds_are_settings():
    assert verdict("CALM", 3.1, macro_btc_move_pct=3.0).blocks
    assert verdict("DANGER", macro_danger_size_factor=0.25).size_factor == 0.25


# ---- BTC's last hour, from the desk's own candles ----


def btc(closes: list[float], last_close=CLOSE, **columns) -> AnalysedPair:
    return AnalysedPair(BTC, analysed_frame(closes, last_close, **columns), Settings())


def decided(*pairs: AnalysedPair, capital: float = 10_000.0):
    desk = desk_of(host=StubHost(capital=capital, free_balance=capital))
    for pair in (signal_pair(PAIR), *pairs):
        desk.offer(pair)
    (decision,) = desk.decide(CLOSE, [PAIR])
    return decision


def macro_word(decision) -> Verdict:
    return next(one for one in decision.verdicts if one.breaker == "macro_danger")


@pytest.mark.parametrize(
    ("closes", "is_vetoed"),
    [
        ([100.0, 90.0, 91.0, 92.0, 94.9], True),
        # It rebounds within the hour, which has to pass all the same.
        ([100.0, 100.0, 100.0, 100.0, 94.9, 96.0], True),
        ([100.0, 100.0, 100.0, 100.0, 94.9, 96.0, 96.0, 96.0], True),
        ([100.0, 100.0, 100.0, 100.0, 94.9, 96.0, 96.0, 96.0, 96.0], False),
        ([100.0, 90.0, 91.0, 92.0, 95.1], False),  # no hour is known but that up to the close
        ([80.0, 99.0, 101.0, 102.0, 103.0, 105.0], True),
    ],
)
def test_a_leap_of_btc_vetoes_until_the_hour_has_passed(closes, is_vetoed):
    decision = decided(btc(closes))
    assert (decision.status is Status.VETOED) is is_vetoed
    assert macro_word(decision).blocks is is_vetoed


@pytest.mark.parametrize(
    "pairs",
    [
        (),
        (btc([100.0, 50.0, 50.0, 50.0]),),
        (btc([100.0] * 5 + [99.0], CLOSE - CANDLE),),  # its last candle is not here yet
        (btc([100.0] * 5 + [50.0], CLOSE + 9 * CANDLE),),  # no candle of its own at the close
        (btc([nan, 1.0, 1.0, 1.0, 50.0]),),
        (btc([100.0, 1.0, 1.0, 1.0, nan]),),
        (btc([0.0, 1.0, 1.0, 1.0, 50.0]),),
        (AnalysedPair("BTC/USDT", analysed_frame([100.0, 1, 1, 1, 50.0], CLOSE), Settings()),),
        (AnalysedPair("BTCDOM/USDT:USDT", analysed_frame([9.0, 1, 1, 1, 5.0], CLOSE), Settings()),),
    ],
)
def test_without_both_candles_it_is_unknown_and_said(pairs):
    decision = decided(*pairs)
    assert decision.is_approved
    assert "BTC's last hour" in macro_word(decision).reason


def test_a_leap_vetoes_although_the_last_candle_is_not_here_yet():
    assert macro_word(decided(btc([100.0] * 5 + [50.0], CLOSE - CANDLE))).blocks


@pytest.mark.parametrize(
    ("run_mode", "source"), [(RunMode.DRY_RUN, "ohlcv"), (RunMode.BACKTEST, "historic_ohlcv")]
)
def test_btc_is_looked_at_where_it_is_not_scanned(run_mode, source, tmp_path):
    """A scan leaves BTC out whenever it is quiet; its next leap shakes all others."""
    candles = {BTC: analysed_frame([100.0, 100.0, 100.0, 100.0, 90.0], CLOSE)[["date", "close"]]}

    def shown(pair: str, timeframe: str, **_: bool) -> pd.DataFrame:
        assert timeframe == "15m"
        return candles.get(pair, pd.DataFrame())

    strategy = SimpleNamespace(
        dp=SimpleNamespace(runmode=run_mode, **{source: shown}),
        config={"user_data_dir": tmp_path, "dry_run": True, "trading_mode": "futures"},
        timeframe="15m",
    )
    engine = Engine(strategy, Settings())
    engine.desk = desk_of()
    engine.desk.offer(signal_pair(PAIR))
    (decision,) = engine.decide(CLOSE, [PAIR])
    assert decision.status is Status.VETOED
    assert "BTC moved -10.0 %" in macro_word(decision).reason


def test_a_hole_in_the_candles_is_no_hour():
    frame = analysed_frame([100.0, 100.0, 100.0, 100.0, 50.0, 50.0], CLOSE)
    whole, holed = btc([100.0, 100.0, 100.0, 100.0, 50.0, 50.0]), frame.drop(index=1)
    close_ns, hour_ns = instant_ns(CLOSE), 3_600 * 10**9
    assert whole.move_pct(close_ns, hour_ns) == -50.0
    assert np.isnan(AnalysedPair(BTC, holed, Settings()).move_pct(close_ns, hour_ns))


def test_what_btc_does_later_changes_nothing():
    before = btc([100.0, 100.0, 100.0, 100.0, 94.0])
    after = btc([100.0, 100.0, 100.0, 100.0, 94.0, 300.0, 10.0], CLOSE + 2 * CANDLE)
    assert macro_word(decided(before)) == macro_word(decided(after))
    assert macro_word(decided(after)).blocks


# ---- flags of the archive in a backtest: real candles, a real archive, the strategy's own columns

HOURS = 24 * 12
SECTION = {"confluence": {"weights": CHART_WEIGHTS}, "entry": {"min_volume_ratio": 0.5}}
HOUR = 4  # candles
TELLERS = {"r": "market_regime", "m": "macro_correlation"}  # of regime=..., of macro=...


@dataclass
class Run:
    """A backtest in which every candidate is decided as if nothing had been bought before."""

    frame: pd.DataFrame
    decisions: dict[datetime, Decision]


@pytest.fixture(scope="module")
def candles() -> dict[int, pd.DataFrame]:
    return market(HOURS, seed=3)


@pytest.fixture(scope="module")
def closes(candles) -> list[datetime]:
    return [(opened + CANDLE).to_pydatetime() for opened in candles[15]["date"]]


@pytest.fixture
def run(candles, closes, tmp_path_factory) -> Callable[..., Run]:
    """Return what runs a backtest whose archive has flags from the middle on, each hour anew."""

    def run_with(*flags: str) -> Run:
        strategy = backtester(tmp_path_factory.mktemp("user_data"), candles)
        said_ms = [instant_ns(close) // 10**6 for close in closes[len(closes) // 2 :: HOUR]]
        rows = [
            Component("sentiment", TELLERS[flag[0]], "*", nan, nan, at, at, "", (flag,))
            for at in said_ms
            for flag in flags
        ]
        write_archive(archive_path(strategy.config, strategy.base_settings), rows)
        (frame,) = strategy.advise_all_indicators({PAIR: candles[15].copy()}).values()
        frame = strategy.ft_advise_signals(frame, {"pair": PAIR})
        return Run(frame, {close: one for close in closes for one in alone(strategy, close)})

    return run_with


def backtester(folder: Path, candles: dict[int, pd.DataFrame]) -> ScalpStrategy:
    strategy = ScalpStrategy(
        {
            "stake_currency": "USDT",
            "trading_mode": "futures",
            "user_data_dir": folder,
            "scalp": SECTION,
        }
    )
    strategy.dp = SimpleNamespace(
        runmode=RunMode.BACKTEST,
        get_pair_dataframe=lambda pair, timeframe: candles[int(timeframe[:-1])],
    )
    strategy.engine = Engine(strategy, strategy.base_settings)
    return strategy


def alone(strategy: ScalpStrategy, close: datetime) -> list[Decision]:
    """Decide one candle at a desk of its own, on the pair that the strategy has analysed."""
    desk = desk_of(strategy.base_settings)
    desk.offer(strategy.engine.desk.analysed(PAIR))
    return desk.decide(close, [PAIR])


@pytest.fixture
def silent(run) -> Run:
    return run()


def both(silent: Run, flagged: Run, closes: list[datetime]) -> list[tuple[Decision, Decision]]:
    """Decisions of candles that are candidates in both runs, from the flags on."""
    later = closes[len(closes) // 2 :]
    return [
        (silent.decisions[close], flagged.decisions[close])
        for close in later
        if close in silent.decisions and close in flagged.decisions
    ]


def assert_same_before(silent: Run, flagged: Run, closes: list[datetime]) -> None:
    """Nothing changes before it was known."""
    middle = len(closes) // 2
    columns = ["confluence", "tier", "stop_factor", "is_candidate"]
    pd.testing.assert_frame_equal(silent.frame[columns][:middle], flagged.frame[columns][:middle])
    for close in closes[:middle]:
        was, one = silent.decisions.get(close), flagged.decisions.get(close)
        assert (was and (was.candidate, was.status, was.size)) == (
            one and (one.candidate, one.status, one.size)
        )


@pytest.mark.parametrize(
    ("regime", "long", "short"), [("RISK_OFF", 0.7, 1.1), ("RISK_ON", 1.1, 0.7)]
)
def test_a_regime_changes_the_score(silent, run, closes, regime, long, short):
    flagged = run(f"regime={regime}")
    assert_same_before(silent, flagged, closes)
    middle = len(closes) // 2
    for side, factor in (("long", long), ("short", short)):
        was = silent.frame[f"confluence_{side}"][middle:]
        expected = np.minimum(100.0, was * factor)
        np.testing.assert_allclose(flagged.frame[f"confluence_{side}"][middle:], expected)
    # And with it what is a signal at all.
    assert set(silent.decisions) != set(flagged.decisions)


def test_a_choppy_market_halves_the_size_and_tightens_the_stop(silent, run, closes):
    flagged = run("regime=CHOPPY")
    assert_same_before(silent, flagged, closes)
    sized = [(was, one) for was, one in both(silent, flagged, closes) if was.size and one.size]
    assert len(sized) >= 5
    for was, one in sized:
        assert one.candidate.score == was.candidate.score
        assert one.candidate.size_factor == 0.5
        assert one.plan.sl_pct <= was.plan.sl_pct
        assert one.size.risk_pct <= was.size.risk_pct / 2 * 1.01
    assert any(one.plan.sl_pct < was.plan.sl_pct for was, one in sized)


def test_macro_danger_halves_the_risk(silent, run, closes):
    flagged = run("macro=DANGER")
    assert_same_before(silent, flagged, closes)
    sized = [(was, one) for was, one in both(silent, flagged, closes) if was.size and one.size]
    assert len(sized) >= 5
    for was, one in sized:
        assert one.candidate.macro == "DANGER"
        assert one.candidate.score == was.candidate.score
        assert one.size.risk_pct <= was.size.risk_pct / 2 * 1.01
        assert one.status is was.status


def test_macro_panic_vetoes_every_signal(silent, run, closes):
    flagged = run("macro=EXTREME")
    assert_same_before(silent, flagged, closes)
    pairs = both(silent, flagged, closes)
    assert any(was.is_approved for was, _ in pairs)
    for was, one in pairs:
        assert one.status is Status.VETOED
        assert one.reasons[0].startswith("MACRO DANGER")
        assert one.candidate.score == was.candidate.score


def test_regime_and_macro_act_together(silent, run, closes):
    flagged = run("regime=CHOPPY", "macro=DANGER")
    sized = [(was, one) for was, one in both(silent, flagged, closes) if was.size and one.size]
    assert sized
    for was, one in sized:
        assert one.size.risk_pct <= was.size.risk_pct / 4 * 1.01

"""The state of the layer: waiting facts, changes, what is kept over a restart, bounded memory."""

import csv
import json
from datetime import UTC, datetime

import pandas as pd
import pytest

from external_layers.sentiment.state import SentimentState, StateChange
from external_layers.sentiment.trend import candles_of
from external_layers.sources.facts import (
    BTC_DOMINANCE,
    FEAR_GREED,
    SP500_NOW,
    TOTAL_CAP,
    Party,
    Transfer,
    Watched,
)
from scalp_strategy.contract import CANDLE_MS
from scalp_strategy.errors import PayloadError
from tests.support.recorded import recorded
from tests.unit.external_layers.sentiment.told import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    PAIRS,
    SETTINGS,
    START_MS,
    cut,
    random_candles,
    random_facts,
    reading,
    rows_of,
    settings,
    slope,
    story,
    told,
)

HOURS = 60


def test_a_fact_counts_from_when_it_is_available() -> None:
    state = told([reading(FEAR_GREED, 10.0, START_MS, late_ms=HOUR_MS)])
    key = ("fear_greed", "*")
    assert not rows_of(state, START_MS + HOUR_MS - 1)[key].is_known
    assert rows_of(state, START_MS + HOUR_MS)[key].long == 84.0


def test_facts_out_of_order_are_put_in_order() -> None:
    facts = [
        reading(FEAR_GREED, value, START_MS, late_ms=late) for value, late in ((10, 9), (90, 1))
    ]
    state = told(facts)
    assert rows_of(state, START_MS + 5)["fear_greed", "*"].long < 50
    assert rows_of(state, START_MS + 9)["fear_greed", "*"].long > 50


def test_facts_of_other_layers_are_left_out() -> None:
    wallet = Party("wallet", "somebody")
    transfer = Transfer("SOL", 1.0, 1.0, wallet, wallet, "solana", "0x", START_MS, START_MS)
    others = [
        transfer,
        reading("stablecoin_supply", 1.0, START_MS),
        Watched("transfers", "SOL", "etherscan", START_MS, START_MS),
    ]
    state = told(others)
    assert state.to_json() == SentimentState(SETTINGS).to_json()


def test_time_never_runs_back() -> None:
    state = told([reading(FEAR_GREED, 10.0, START_MS)])
    rows_of(state, START_MS + MINUTE_MS)
    found = rows_of(state, START_MS - HOUR_MS)["fear_greed", "*"]
    assert found.available_at_ms == START_MS + MINUTE_MS


def test_an_input_from_the_future_is_no_older_than_it_was_known() -> None:
    state = told(
        [reading(FEAR_GREED, 10.0, START_MS, late_ms=-HOUR_MS), story(START_MS, 0.1, late_ms=-5)]
    )
    found = rows_of(state, START_MS - HOUR_MS)["fear_greed", "*"]
    assert found.observed_at_ms == START_MS - HOUR_MS


def test_changes_are_told_once() -> None:
    at_once = settings(regime_confirm_s=0)
    facts = [
        reading(SP500_NOW, 1_000.0, START_MS - HOUR_MS, "yahoo_chart"),
        reading(SP500_NOW, 988.0, START_MS, "yahoo_chart"),
        reading(SP500_NOW, 1_000.0, START_MS + HOUR_MS, "yahoo_chart"),
        reading(SP500_NOW, 1_000.5, START_MS + 2 * HOUR_MS, "yahoo_chart"),
    ]
    state = told(facts, at_once)
    flat = slope(0.0, 4, START_MS + 5 * HOUR_MS)

    def ask(at_ms: int) -> list[StateChange]:
        rows_of(state, at_ms, {"BTC": cut(flat, at_ms)})
        return state.changes()

    first = ask(START_MS)
    assert [(one.kind, one.old, one.new, one.at_ms) for one in first] == [
        ("regime", "", "CHOPPY", START_MS),
        ("macro", "", "DANGER", START_MS),
    ]
    assert first[1].text == "Macro DANGER: S&P futures -1.2% in the last hour"
    assert ask(START_MS + CANDLE_MS) == []
    assert ask(START_MS + 50 * MINUTE_MS) == []  # too old to be known, which is no change
    assert [one.new for one in ask(START_MS + HOUR_MS)] == ["POSITIVE"]
    assert [(one.old, one.new) for one in ask(START_MS + 2 * HOUR_MS)] == [("POSITIVE", "CALM")]


def test_a_restart_in_the_middle_changes_nothing() -> None:
    facts = random_facts(3, HOURS)
    shelf = random_candles(3, HOURS)
    kept, restarted = told(facts), told(facts)
    known = 0
    for step in range(1, HOURS * 4):
        at_ms = START_MS + step * CANDLE_MS
        shelves = {token: cut(shelf, at_ms) for token in ("SOL", "BTC")}
        if step % 17 == 0:
            document = json.loads(json.dumps(restarted.to_json(), allow_nan=False))
            restarted = SentimentState.from_json(SETTINGS, document)
            assert restarted.to_json() == json.loads(json.dumps(kept.to_json()))
        found = [state.components(PAIRS, shelves, at_ms) for state in (kept, restarted)]
        assert repr(found[0]) == repr(found[1])
        known += sum(one.is_known for one in found[0])
        if step % 29 == 0:
            assert kept.changes() == restarted.changes()
    assert known > HOURS * 4


@pytest.mark.parametrize(
    "spoil",
    [
        lambda document: None,
        lambda document: [],
        lambda document: {},
        lambda document: document | {"version": 2},
        lambda document: document | {"at_ms": "now"},
        lambda document: document | {"pending": [["comet", 1]]},
        lambda document: document | {"pending": [["reading", "nothing", "*", 1.0, 0, 0]]},
        lambda document: document | {"pending": [["reading", "vix"]]},
        lambda document: document | {"readings": [["vix", "fred", [[1, 2]]]]},
        lambda document: document | {"mentions": [["SOL", "x", [1]]]},
        lambda document: document | {"stories": {"ids": []}},
        lambda document: document | {"regime": [1, 2]},
        lambda document: document | {"states": 5},
        lambda document: document | {"changes": [1]},
    ],
)
def test_a_broken_document_is_refused(spoil) -> None:
    with pytest.raises(PayloadError):
        SentimentState.from_json(SETTINGS, spoil(told(random_facts(1, 3)).to_json()))


def size_of(state: SentimentState) -> int:
    return len(json.dumps(state.to_json()))


def test_memory_is_bounded() -> None:
    days = 30
    facts = random_facts(5, days * 24)
    state, sizes, taken = SentimentState(SETTINGS), [], 0
    for day in range(1, days + 1):
        at_ms = START_MS + day * DAY_MS
        while taken < len(facts) and facts[taken].available_at_ms <= at_ms:
            state.add(facts[taken : taken + 1])
            taken += 1
        state.prune(at_ms)
        sizes.append(size_of(state))
    assert max(sizes[20:]) < 1.1 * max(sizes[9:15])
    state.prune(START_MS + 100 * DAY_MS)
    assert size_of(state) < 3_000


def test_told_ahead_and_never_asked_is_pruned_too() -> None:
    state = told(random_facts(5, 100))
    state.prune(START_MS + 100 * DAY_MS)
    assert size_of(state) < 3_000


def daily(name: str, series: str, subject: str = "*"):
    found = []
    for row in csv.reader(recorded("context", name).read_text().splitlines()[1:]):
        moment = datetime.fromisoformat(row[0]).replace(tzinfo=UTC)
        observed = int(moment.timestamp() * 1_000)
        if row[0] >= "2025-04-20" and row[1]:
            found.append(reading(series, float(row[1]), observed, subject, DAY_MS + HOUR_MS))
    return found


def test_recorded_history_gives_a_regime_and_a_macro_state() -> None:
    frame = pd.read_feather(recorded("futures", "BTC_USDT_USDT-15m-futures.feather")).head(9_600)
    opens = frame["date"].dt.as_unit("ms").array.asi8
    columns = [frame[name].tolist() for name in ("open", "high", "low", "close", "volume")]
    shelf = candles_of(zip(opens.tolist(), *columns, strict=True))
    facts = [
        *daily("btc_dominance_daily_2018_2025-08.csv", BTC_DOMINANCE),
        *daily("total_mcap_daily_2018_2025-08.csv", TOTAL_CAP),
        *daily("sp500_daily_fred.csv", "sp500", "fred"),
        *daily("vix_daily.csv", "vix", "fred"),
        *daily("dollar_index_daily_fred.csv", "dollar_index", "fred"),
    ]
    state = told(facts)
    flags: dict[str, int] = {}
    closes = shelf.close_ms[400::4].tolist()
    for at_ms in closes:
        rows = rows_of(state, at_ms, {"BTC": cut(shelf, at_ms, 499)})
        for name in ("market_regime", "macro_correlation"):
            for flag in rows[name, "*"].flags:
                flags[flag] = flags.get(flag, 0) + 1
    told_regimes = {name: n for name, n in flags.items() if name.startswith("regime=")}
    assert set(told_regimes) == {
        f"regime={each}" for each in ("RISK_ON", "BTC_SEASON", "RISK_OFF", "CHOPPY")
    }
    assert sum(told_regimes.values()) > 0.9 * len(closes)
    assert {"macro=CALM", "macro=POSITIVE", "macro=NEGATIVE"} <= set(flags)
    assert "macro=DANGER" not in flags

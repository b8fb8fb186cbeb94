import numpy as np
import pytest

from scalp_strategy.announce import announcement, summary
from scalp_strategy.base_rate import SETUP_LABELS
from scalp_strategy.contract import Component
from scalp_strategy.errors import ContractViolation
from scalp_strategy.telegram.html import to_plain
from tests.support.decided import Said, decided
from tests.support.host_stub import CLOSE, MARKET, PAIR


@pytest.mark.parametrize("side", ["long", "short"])
def test_a_signal_s_message_has_everything(side):
    decision, rooms = decided(side)
    plan, size = decision.plan, decision.size
    text = announcement(decision, rooms).plain
    for part in (
        side.upper(),
        PAIR,
        "72/100",
        "Valid: 15 min",
        f"Entry: ${plan.price:.2f}",
        f"({plan.sl_pct:.2f}%)",
        "Close 40%",
        "Close 20%",
        "Risk/Reward: 1:2.5",
        f"cost: {plan.cost_r:.2f}R",
        "known: 61%",
        f"{size.size_pct:.2f}% of portfolio",
        f"${size.risk_quote:.2f}",
        "8 candles (2h)",
        f"Setup: {decision.candidate.setup}".replace("_", " "),
        f"limited by: {size.limited_by}",
    ):
        assert part in text, part
    levels = [line for line in text.splitlines() if "TP" in line and "$" in line]
    shown = [float(line.split("$")[1].split(" ")[0]) for line in levels]
    assert shown == pytest.approx(plan.targets, abs=MARKET.price_tick)
    (stop,) = (line for line in text.splitlines() if "Stop Loss" in line)
    assert float(stop.split("$")[1].split(" ")[0]) == pytest.approx(plan.stop, abs=0.01)


def test_layers_that_said_nothing_read_no_data():
    text = announcement(*decided()).plain
    for name in ("Order Flow", "On-Chain", "Sentiment", "Backtest"):
        assert f"{name}: no data" in text
    assert "Regime: no data" in text
    assert "nan" not in text.lower()


def test_layers_that_spoke_are_shown():
    columns = {
        "orderflow_long": 81.0,
        "orderflow_short": 19.0,
        "orderflow_reliability": 1.0,
        "onchain_long": np.nan,
        "onchain_short": np.nan,
        "onchain_reliability": np.nan,
        "regime": "RISK_ON",
    }
    text = announcement(*decided(**columns)).plain
    assert "Order Flow: 81/100" in text
    assert "On-Chain: no data" in text
    assert "Regime: RISK_ON" in text
    assert "Order Flow: 19/100" in announcement(*decided("short", **columns)).plain


def test_the_past_of_the_setup_is_told():
    past = {
        "base_rate_long": 56.4,
        "base_rate_short": 50.0,
        "base_rate_reliability": 0.6,
        "base_rate_win_rate_long": 0.412,
        "base_rate_samples_long": 311.6,
        "base_rate_mean_r_long": -0.214,
        "base_rate_setup_long": np.int8(SETUP_LABELS.index("ema_structure + macd")),
        "base_rate_win_rate_short": np.nan,
        "base_rate_samples_short": np.nan,
        "base_rate_mean_r_short": np.nan,
        "base_rate_setup_short": np.int8(0),
    }
    text = announcement(*decided(**past)).plain
    assert "Backtest: 56/100" in text
    assert "win rate: about 41% from 312 cases, mean -0.21R (ema structure + macd)" in text
    # The other side's setup has no past: its 50 is no score to show.
    text = announcement(*decided("short", **past)).plain
    assert "Backtest: no data" in text
    assert "win rate: no data" in text


def test_a_layer_says_why():
    decision, rooms = decided(orderflow_long=81.0, orderflow_short=19.0, orderflow_reliability=1.0)
    close_ms = int(CLOSE.timestamp() * 1_000)
    why = "Aggressive buying 73% of volume"
    known = Component("orderflow", "trade_flow", PAIR, 81.0, 19.0, close_ms, close_ms, why)
    late = Component("orderflow", "funding_rate", PAIR, 80.0, 30.0, close_ms, close_ms + 1, "late")
    rooms.layers = Said((known, late))
    text = announcement(decision, rooms).plain
    assert why in text
    assert "late" not in text


def test_markup_in_a_reason_does_not_lose_the_message():
    decision, rooms = decided(sentiment_long=70.0, sentiment_short=30.0, sentiment_reliability=1.0)
    close_ms = int(CLOSE.timestamp() * 1_000)
    why = "News is good: <b>[BREAKING] *ETF* & `more`"
    rooms.layers = Said(
        (Component("sentiment", "social_sentiment", PAIR, 70.0, 30.0, close_ms, close_ms, why),)
    )
    html, plain = announcement(decision, rooms)
    assert why in plain
    assert "&lt;b&gt;[BREAKING] *ETF* &amp; `more`" in html
    assert to_plain(html) == plain


def test_a_capped_tier_says_why():
    text = announcement(*decided(is_tier_capped=True)).plain
    assert "The score is HIGH, the signal is MEDIUM" in text
    assert "61%" in text
    assert "signal is MEDIUM" not in announcement(*decided(is_tier_capped=False)).plain


def test_only_an_approved_signal_is_announced():
    decision, rooms = decided(atr_14=100.0)
    assert decision.plan is None
    with pytest.raises(ContractViolation, match=PAIR):
        announcement(decision, rooms)


def test_a_summary_says_what_was_decided_and_why():
    approved, _ = decided()
    line = summary(approved)
    assert f"{PAIR} long 72/100 MEDIUM" in line
    assert "coverage 0.61" in line
    assert f"risk {approved.size.risk_pct:.2f} %" in line
    refused, _ = decided(volume_ratio=0.2)
    assert "rejected" in summary(refused)
    assert "volume 0.20x" in summary(refused)
    assert "\n" not in line + summary(refused)

"""Alerts as the trader reads them, and that no text of others can lose one."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalp_strategy.journal.outside import StateChange, WhaleMovement
from scalp_strategy.setting_groups.onchain import OnChainSettings
from scalp_strategy.telegram.alert_format import (
    macro_alert,
    macro_relief,
    money,
    whale_alert,
    whale_summary,
)

WHALE = WhaleMovement(
    "SOL", "withdrawal", "Binance", "unknown wallet", "solana", "h", 0, 75_000.0, 12_345_678.9
)
MARKUP = set("_*`[]\\")


def test_a_whale_alert_is_the_specification_s():
    assert whale_alert(WHALE).splitlines() == [
        "🐋 WHALE ALERT — SOL",
        "━━━━━━━━━━━━━━━━━━━",
        "$12.3M (75,000 SOL) withdrawal from an exchange",
        "From: Binance",
        "To: unknown wallet",
        "Potential Impact: bullish: coins leave an exchange, less is for sale",
    ]


@pytest.mark.parametrize(
    ("token", "direction", "impact"),
    [
        ("BTC", "deposit", "bearish"),
        ("BTC", "withdrawal", "bullish"),
        ("BTC", "between_exchanges", "neutral"),
        ("BTC", "between_wallets", "neutral"),
        ("USDT", "deposit", "bullish"),
        ("USDC", "withdrawal", "bearish"),
        ("USDC", "between_exchanges", "neutral"),
    ],
)
def test_money_that_comes_to_an_exchange_buys_and_coins_are_sold(token, direction, impact):
    whale = replace(WHALE, token=token, direction=direction)
    assert f"Potential Impact: {impact}:" in whale_alert(whale)


def test_what_the_layer_takes_for_money_is_told_as_money():
    for token in OnChainSettings().stablecoins:
        assert "buying power comes" in whale_alert(replace(WHALE, token=token, direction="deposit"))


@pytest.mark.parametrize(
    ("usd", "words"),
    [
        (0.4, "$0"),
        (999.0, "$999"),
        (1_000.0, "$1.0K"),
        (999_949.0, "$999.9K"),
        (999_950.0, "$1.0M"),
        (10_000_000.0, "$10.0M"),
        (999_999_999.0, "$1.0B"),
        (1.5e12, "$1500.0B"),
    ],
)
def test_money_in_a_few_characters(usd, words):
    assert money(usd) == words


def test_what_is_unknown_is_said_to_be():
    text = whale_alert(replace(WHALE, amount=None, amount_usd=None))
    assert "of unknown worth withdrawal" in text
    assert "from unknown" not in macro_alert(StateChange(None, "EXTREME"), "x")
    assert "now unknown" in macro_relief(StateChange("EXTREME", None), "x")


def test_the_macro_alert_says_what_why_and_until_when():
    text = macro_alert(StateChange("DANGER", "EXTREME"), "S&P 500 -2.3 % in an hour")
    assert "MACRO DANGER" in text
    assert "Reason: S&P 500 -2.3 % in an hour" in text
    assert "PAUSED" in text
    assert "DANGER" in text


@given(st.text(max_size=2_000), st.text(max_size=2_000), st.text(max_size=2_000))
def test_no_text_of_others_can_make_markup_a_line_or_a_message_too_long(token, label, words):
    whale = replace(WHALE, token=token, from_label=label, to_label=words)
    change = StateChange(label, words)
    for text in (
        whale_alert(whale),
        whale_summary([whale] * 10_000),
        macro_alert(change, words),
        macro_relief(change, words),
    ):
        assert not MARKUP & set(text)
        assert len(text.encode("utf-16-le", "surrogatepass")) // 2 <= 4_096
    assert len(whale_alert(whale).splitlines()) == 6

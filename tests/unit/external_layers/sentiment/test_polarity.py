"""How headlines sound: what crypto's words mean, and what general English only seems to say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from external_layers.sentiment.polarity import polarity
from external_layers.sentiment.polarity_words import NEUTRAL, PHRASES, WORDS

CLEAR = 0.25


@pytest.mark.parametrize(
    "headline",
    [
        "Bitcoin hits new all-time high as ETF inflows surge",
        "SEC approves spot Solana ETF",
        "Judge dismisses SEC lawsuit against Binance",
        "SEC drops case against Uniswap Labs",
        "Charges against developer dropped",
        "Binance lists new token with seed tag",
        "Fed cuts rates by 25 basis points",
        "US lifts sanctions on Tornado Cash",
        "Exchange outflows hit record as investors accumulate ETH",
        "$200M in shorts liquidated in an hour",
        "DOGE to the moon \N{ROCKET}",
        "No hack occurred, says exchange",
        "Bitcoin halving draws near",
    ],
)
def test_good_news(headline: str) -> None:
    assert polarity(headline) > 0.15


@pytest.mark.parametrize(
    "headline",
    [
        "Hacker drains $120M from Balancer in latest DeFi exploit",
        "SEC sues Coinbase over unregistered securities",
        "SEC delays decision on XRP ETF filing",
        "Solana memecoin rug pull leaves traders rekt",
        "Over $1B liquidated as Bitcoin plunges below $100K",
        "Binance to delist three tokens",
        "Outflows from bitcoin ETFs hit $600M",
        "Exchange inflows spike as holders dump",
        "Solana network outage halts block production",
        "Ether falls to multi-month low",
        "Stablecoin depegs after exploit",
    ],
)
def test_bad_news(headline: str) -> None:
    assert polarity(headline) < -CLEAR


@pytest.mark.parametrize(
    "headline",
    [
        "Crypto shares of interest",
        "Fear and Greed index at 22",
        "Fed leaves interest rates unchanged",
        "Whale Alert: 1,000 BTC moved to unknown wallet",
        "Gross margin of the block size party",
        "Trust Wallet and United Treasury share a vision of value",
        "Department of Justice publishes proof of stake paper",
        "Bitcoin mining difficulty explained",
        "",
    ],
)
def test_words_that_only_seem_to_say_something(headline: str) -> None:
    assert polarity(headline) == 0.0


def test_a_phrase_counts_as_a_whole_and_nowhere_inside_a_word() -> None:
    assert polarity("bear market ends") < 0 < polarity("bull market begins")
    assert polarity("The new highstreet") == 0.0
    assert polarity("a halvingly scamper") == 0.0


def test_negation_turns_it_round() -> None:
    assert polarity("The protocol was not hacked") > 0 > polarity("The protocol was hacked")


def test_a_long_text_is_read_to_a_limit() -> None:
    assert polarity("word " * 5_000 + "hacked") == 0.0


def test_no_word_is_both_neutral_and_scored() -> None:
    assert set(NEUTRAL) & set(WORDS) == set()
    assert all(-4 <= score <= 4 for score in (*WORDS.values(), *(score for _, score in PHRASES)))
    assert all(word == word.lower() for word in (*NEUTRAL, *WORDS))


@given(st.text(max_size=300))
def test_any_text_has_a_polarity(text: str) -> None:
    assert -1.0 <= polarity(text) <= 1.0

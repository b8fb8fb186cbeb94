"""Which tokens a headline names: golden headlines that would trip a search for parts of words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from external_layers.sentiment.names import names_of, plain_token, tokens_named
from external_layers.sentiment.token_names import (
    EMPHASIS,
    IDIOMS,
    NAMES,
    PLAIN,
    PROPER,
)


@pytest.mark.parametrize(
    ("headline", "tokens"),
    [
        ("Bitcoin slips below $90K as ether lags", ("BTC", "ETH")),
        ("Bitcoin Cash (BCH) rallies before the halving", ("BCH",)),
        ("Ethereum Classic miners switch off", ("ETC",)),
        ("Ethereum-based Arbitrum passes anti-Bitcoin bill", ("ETH", "ARB", "BTC")),
        ("Solana's outage, explained", ("SOL",)),
        ("SOL, LINK and OP lead gains", ("SOL", "LINK", "OP")),
        ("BTC, NEAR, APT rally", ("BTC", "NEAR", "APT")),
        ("LINK surges 12% after partnership", ("LINK",)),
        ("Uniswap's UNI token climbs", ("UNI",)),
        ("Avalanche (AVAX) jumps; Optimism (OP) follows; Sonic (S) slips", ("AVAX", "OP", "S")),
        ("Stellar blockchain upgrade goes live", ("XLM",)),
        ("Trump memecoin unlock: TRUMP token falls", ("TRUMP",)),
        ("MATIC is now POL, says Polygon", ("POL",)),
        ("BTCUSDT perpetual, OP/USDT and LINK-PERP", ("BTC", "OP", "LINK")),
        ("1000PEPE futures are live", ("PEPE",)),
        ("Whales buy $link and $Doge", ("LINK", "DOGE")),
        ("World Liberty Financial's WLFI", ("WLFI",)),
        ("#Bitcoin to the moon", ("BTC",)),
        ("Fetch.ai and Ether.fi merge", ("FET", "ETHFI")),
        ("BITCOIN CRASHES, SOL DUMPS", ("BTC", "SOL")),
        ("Ripple wins against the SEC", ("XRP",)),
    ],
)
def test_named(headline: str, tokens: tuple[str, ...]) -> None:
    assert tokens_named(headline) == tokens


@pytest.mark.parametrize(
    "headline",
    [
        "Optimism returns to Wall Street",
        "An avalanche of liquidations hits crypto",
        "Stellar earnings lift Nvidia",
        "Link to the story: sunny near one gas station",
        "One token is not enough, me too",
        "The SEC's ME problem: it is not ME or W",
        "S&P 500 falls; U.S. token rules; S-1 filing",
        "TRADERS LINK UP NEAR PRICE TARGET AS GAS FLOW RISES",
        "Trump says crypto is great",
        "Tariffs ripple through markets; the ripple effect",
        "Etherscan outage annoys bitcoiners and solanas",
        "Maker of chips: compound interest and a curve ahead",
        "The IP protocol and the ID problem of CO-OP tokens",
        "UNI students protest; DOT grants in ME",
        "Firm raises $4 million and US$OP",
        "sui generis rules",
        "Ask @bitcoin or see bitcoin.org",
        "We hodl, NOT sell",
    ],
)
def test_not_named(headline: str) -> None:
    assert tokens_named(headline) == ()


def test_upper_case_for_emphasis_is_no_ticker_even_in_a_list() -> None:
    assert tokens_named("Buy BTC, NOT ETH") == ("BTC", "ETH")


def test_watched_tokens_are_found_like_ambiguous_ones() -> None:
    watched = ("1000XYZ", "4", "B")
    assert tokens_named("The XYZ token falls, $xyz", watched) == ("XYZ",)
    assert tokens_named("Nothing of XYZ here; firm raises $4 in plan B", watched) == ()
    assert tokens_named("The XYZ token falls, $xyz") == ()


def test_letters_that_only_fold_to_a_name() -> None:
    assert tokens_named("\N{LATIN SMALL LETTER LONG S}olana") == ()


def test_each_token_once_in_the_order_of_the_text() -> None:
    assert tokens_named("ETH and BTC: Bitcoin leads Ethereum") == ("ETH", "BTC")


@pytest.mark.parametrize(
    ("base", "token"),
    [("1000PEPE", "PEPE"), ("1000000MOG", "MOG"), ("1MBABYDOGE", "BABYDOGE"), ("1INCH", "1INCH"),
     ("btc", "BTC"), ("1000", "1000")],
)  # fmt: skip
def test_plain_token(base: str, token: str) -> None:
    assert plain_token(base) == token


def test_what_to_search_for() -> None:
    assert names_of("BTC") == ("$BTC", "BTC", "bitcoin", "bitcoins")
    assert "OP" not in names_of("OP")
    assert names_of("1000PEPE")[0] == "$PEPE"
    assert names_of("NEWCOIN") == ("$NEWCOIN",)


@pytest.mark.parametrize("token", sorted(NAMES))
def test_a_token_is_found_by_whatever_names_it(token: str) -> None:
    for name in names_of(token):
        assert tokens_named(f"what about {name}, then") == (token,), name
        assert tokens_named(f"what about x{name}x then") == (), name


def test_the_tables_fit_together() -> None:
    owned = [name for names in NAMES.values() for name in names]
    assert len(owned) == len(set(owned))
    assert all(name == name.lower() for name in (*owned, *IDIOMS))
    assert not set(owned) & set(IDIOMS)
    assert set(NAMES) >= PLAIN | EMPHASIS | set(PROPER.values())
    assert not PLAIN & EMPHASIS
    assert len(NAMES) >= 120


@given(st.text(max_size=200), st.lists(st.text(max_size=8), max_size=3))
def test_any_text(text: str, watched: list[str]) -> None:
    found = tokens_named(text, watched)
    assert len(set(found)) == len(found)
    assert set(found) <= set(NAMES) | {plain_token(base) for base in watched}

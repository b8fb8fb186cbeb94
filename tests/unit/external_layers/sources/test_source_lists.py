"""The lists of wallets and tokens: every address is one, named once, and dated."""

import hashlib
import re
from datetime import date

import pytest

from external_layers.sources import tokens, wallets
from external_layers.sources.etherscan import CHAIN_IDS
from external_layers.sources.parties import is_exchange_name
from external_layers.sources.wallets import EVM, Wallet
from scalp_strategy.setting_groups.onchain import OnChainSettings

BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
BECH32M = 0x2BC830A3
TODAY = date(2026, 11, 30)


def base58_bytes(address: str) -> bytes:
    number = 0
    for letter in address:
        number = number * 58 + BASE58.index(letter)
    body = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return bytes(len(address) - len(address.lstrip("1"))) + body


def is_base58check(address: str, versions: tuple[int, ...]) -> bool:
    if not set(address) <= set(BASE58):
        return False
    raw = base58_bytes(address)
    checksum = hashlib.sha256(hashlib.sha256(raw[:-4]).digest()).digest()[:4]
    return len(raw) == 25 and raw[0] in versions and checksum == raw[-4:]


def is_bech32(address: str) -> bool:
    if not address.startswith("bc1") or not set(address[3:]) <= set(BECH32):
        return False
    values = [BECH32.index(letter) for letter in address[3:]]
    check = 1
    for value in [3, 3, 0, 2, 3, *values]:  # "bc", spread
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, factor in enumerate(GENERATOR):
            check ^= factor if top >> bit & 1 else 0
    return check == (BECH32M if values[0] else 1)


def is_address(chain: str, address: str) -> bool:
    if chain == "bitcoin":
        return is_bech32(address) or is_base58check(address, (0, 5))
    if chain == "tron":
        return is_base58check(address, (0x41,))
    if chain == "solana":
        return set(address) <= set(BASE58) and len(base58_bytes(address)) == 32
    return re.fullmatch(r"0x[0-9a-f]{40}", address) is not None


def test_the_checks_find_a_typing_mistake() -> None:
    assert is_address("bitcoin", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa")
    assert not is_address("bitcoin", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb")
    assert is_address("bitcoin", "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq")
    assert not is_address("bitcoin", "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdp")
    assert is_address("tron", "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t")
    assert not is_address("tron", "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6u")
    assert not is_address("solana", "So1111111111111111111111111111111111111111")
    assert not is_address("evm", "0xDAC17F958D2ee523a2206206994597C13D831ec7")


def test_every_wallet_is_an_address() -> None:
    assert [each for each in wallets.listed() if not is_address(each.chain, each.address)] == []


def test_every_contract_is_an_address() -> None:
    assert [each for each in tokens.listed() if not is_address(each.chain, each.contract)] == []


def test_no_address_is_named_twice() -> None:
    named = [(each.chain, each.address.lower()) for each in wallets.listed()]
    assert len(named) == len(set(named))
    contracts = [(each.chain, each.contract) for each in tokens.listed()]
    assert len(contracts) == len(set(contracts))


def test_every_entry_is_dated_and_says_who_listed_it() -> None:
    for each in (*wallets.listed(), *tokens.listed()):
        assert date(2024, 1, 1) <= date.fromisoformat(each.listed_on) < TODAY
        assert each.listed_by


def test_every_exchange_has_a_name_that_other_sources_use() -> None:
    assert [each for each in wallets.listed() if not is_exchange_name(each.exchange)] == []


def asks_where_it_lives(wallet: Wallet) -> bool:
    chains = set(CHAIN_IDS) if wallet.chain == EVM else {wallet.chain}
    return set(wallet.asked_on) <= chains


def test_wallets_are_asked_where_they_live() -> None:
    assert all(asks_where_it_lives(each) for each in wallets.listed())
    for chain in (*CHAIN_IDS, "bitcoin", "solana", "tron"):
        assert wallets.asked(chain, OnChainSettings())


def test_a_token_has_one_contract_on_a_chain_and_sound_decimals() -> None:
    for chain in ("ethereum", "bsc", "base", "arbitrum", "polygon", "solana", "tron"):
        tickers = [coin.ticker for coin in tokens.coins(chain).values()]
        assert len(tickers) == len(set(tickers))
    assert all(0 <= each.coin.decimals <= 18 for each in tokens.listed())
    assert all(each.coin.ticker == each.coin.ticker.upper() for each in tokens.listed())


def test_only_what_matters_is_looked_up() -> None:
    tickers = {coin.ticker for coin in tokens.coins("ethereum", ["LINK", "XRP"]).values()}
    assert {"LINK", "USDT", "USDC", "ETH"} <= tickers
    assert not {"UNI", "XRP"} & tickers


USER = OnChainSettings(
    exchange_wallets={
        "ethereum:0xABCDEF0000000000000000000000000000000001": "Small exchange",
        "evm:0x28C6c06298d514Db089934071355E5743bf21d60": "Renamed",
        "tron:TWd4WrZ9wn84f5x1hZhL4DHvk738ns5jwb": "Also renamed",
    },
    smart_wallets={"base:0xABCDEF0000000000000000000000000000000002": "The fox"},
)


@pytest.mark.parametrize(
    ("chain", "address", "kind", "label"),
    [
        ("ethereum", "0xabcdef0000000000000000000000000000000001", "exchange", "Small exchange"),
        ("bsc", "0xabcdef0000000000000000000000000000000001", "wallet", "unknown wallet"),
        ("bsc", "0x28c6c06298d514db089934071355e5743bf21d60", "exchange", "Renamed"),
        ("ethereum", "0x21a31ee1afc51d94c2efccaa2092ad1028285549", "exchange", "Binance"),
        ("base", "0xabcdef0000000000000000000000000000000002", "smart", "The fox"),
        ("ethereum", "0x" + "0" * 40, "issuer", "the issuer"),
        ("tron", "TWd4WrZ9wn84f5x1hZhL4DHvk738ns5jwb", "exchange", "Also renamed"),
    ],
)
def test_the_user_adds_and_overrules(chain: str, address: str, kind: str, label: str) -> None:
    found = wallets.party(wallets.owners(chain, USER), address)
    assert (found.kind, found.label, found.address) == (kind, label, address)


def test_the_users_wallets_are_asked_too_and_once() -> None:
    asked = wallets.asked("ethereum", USER)
    assert "0xabcdef0000000000000000000000000000000001" in asked
    assert len(asked) == len(set(asked))
    assert wallets.smart("base", USER) == ("0xabcdef0000000000000000000000000000000002",)
    assert wallets.smart("ethereum", USER) == ()
    listed = wallets.owners("ethereum")["0x28c6c06298d514db089934071355e5743bf21d60"]
    assert listed.label == "Binance", "the settings of one run changed the list"

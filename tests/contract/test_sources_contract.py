"""What every outside source must hold, checked over the explicit list."""

import asyncio
import copy
from collections.abc import Sequence
from dataclasses import asdict, fields
from importlib import import_module
from math import isfinite, isinf
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import external_layers.sources as sources_package
from external_layers.sources.facts import (
    DEX_BUYS,
    DEX_SELLS,
    EXCHANGE_NETFLOW,
    MARKET,
    STABLECOIN_SUPPLY,
    Fact,
    Mentions,
    Reading,
    Story,
    Transfer,
    WalletTrade,
    Watched,
)
from external_layers.sources.registry import SOURCES
from external_layers.sources.spec import Source
from scalp_strategy.errors import PayloadError, SourceUnavailable
from scalp_strategy.setting_groups.onchain import OnChainWeights
from scalp_strategy.setting_groups.sentiment import SentimentWeights
from tests.support.asked import ScriptedClient, context_of
from tests.support.source_samples import RECEIVED_MS, SAMPLES

DAY_S = 86_400.0
WEIGHTS = {"onchain": OnChainWeights, "sentiment": SentimentWeights}
BY_TOKEN = {EXCHANGE_NETFLOW, STABLECOIN_SUPPLY, DEX_BUYS, DEX_SELLS}
# Sources that ask after many things, a few at a time.
TAKE_TURNS = ("etherscan", "mempool_space", "tron", "solana_rpc", "x_mentions")
TOKENS = ("BTC", "ETH", "SOL", "LINK", "UNI", "AAVE")
# Numbers that a source may not know.
MAY_BE_UNKNOWN = {"amount_usd", "polarity", "influence"}

listed = pytest.mark.parametrize("source", SOURCES, ids=lambda each: each.spec.name)

awkward = st.sampled_from(
    [
        *("nan", "inf", "-1", "1e999", "", "0", "9" * 400, "\ud800", "\x00", "ß", "BTC", "é" * 600),
        *(2**63, 2**64, -1, 0, 10**400, 1e308, -1e308, True, False, None, [], {}),
        *(float("nan"), float("inf"), "2026-13-45T99:00:00Z", "0001-01-01T00:00:00+23:59"),
        *("9999-12-31T23:59:59.999999-23:59", 253_402_300_800, [[]], [{}], {"": {}}, [None, {}]),
    ]
)
json_values = st.recursive(
    awkward | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


def test_every_file_with_a_spec_is_listed() -> None:
    folder = Path(sources_package.__file__).parent
    names = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    modules = {name: import_module(f"external_layers.sources.{name}") for name in names}
    declared = {name for name, module in modules.items() if hasattr(module, "SPEC")}
    assert declared == {source.spec.name for source in SOURCES}
    assert len({source.spec.name for source in SOURCES}) == len(SOURCES)
    assert all(module.__doc__ for module in modules.values())


@listed
def test_is_the_module_of_its_name(source: Source) -> None:
    module = import_module(f"external_layers.sources.{source.spec.name}")
    assert source == Source(module.SPEC, module.fetch, module.parse)


@listed
def test_says_what_it_is(source: Source) -> None:
    spec, provider = source.spec, source.spec.provider
    assert all((provider.name, provider.licence, spec.honesty))
    assert provider.docs.startswith("https://")
    assert provider.url.startswith("wss://" if spec.is_stream else "https://")
    assert not provider.url.endswith("/")
    assert spec.honesty[0].isupper() or spec.honesty[0].isdigit()
    assert spec.honesty.endswith(".")
    assert spec.history in ("full", "revised", "none")
    assert spec.timeout_s > 0
    assert provider.max_mb > 0


@listed
def test_informs_components_of_its_layer(source: Source) -> None:
    assert source.spec.feeds
    assert set(source.spec.feeds) <= set(WEIGHTS[source.spec.layer].model_fields)


@listed
def test_declares_its_keys(source: Source) -> None:
    keys = source.spec.keys
    assert keys or not source.spec.needs_key
    assert len(set(keys)) == len(keys)
    assert all(key == key.upper() and key.isidentifier() for key in keys)


def test_a_key_is_for_one_company() -> None:
    hosts: dict[str, set[str]] = {}
    for source in SOURCES:
        for key in source.spec.keys:
            host = source.spec.provider.url.partition("://")[2].partition("/")[0]
            hosts.setdefault(key, set()).add(".".join(host.split(".")[-2:]))
    assert all(len(companies) == 1 for companies in hosts.values()), hosts


def test_sources_of_a_provider_share_it_and_its_budget() -> None:
    by_name = {source.spec.provider.name: source.spec.provider for source in SOURCES}
    for source in SOURCES:
        assert source.spec.provider == by_name[source.spec.provider.name]
    for name, provider in by_name.items():
        assert provider.rates
        specs = [each.spec for each in SOURCES if each.spec.provider.name == name]
        for rate in provider.rates:
            calls = sum(rate.span_s / spec.every_s * spec.calls for spec in specs)
            assert calls <= rate.count, f"{name}: {calls:.1f} calls in {rate.span_s:.0f} s"


@listed
def test_its_sample_makes_facts(source: Source) -> None:
    assert source.spec.name in SAMPLES, "add a valid payload to tests/support/source_samples.py"
    sample = copy.deepcopy(SAMPLES[source.spec.name])
    facts = source.parse(sample, RECEIVED_MS)
    assert facts
    assert_sound(facts)
    assert sample == SAMPLES[source.spec.name], "parse changed its input"
    assert repr(source.parse(sample, RECEIVED_MS)) == repr(facts)


def test_every_sample_is_of_a_source() -> None:
    assert set(SAMPLES) <= {source.spec.name for source in SOURCES}


@pytest.mark.parametrize("name", TAKE_TURNS)
def test_one_that_always_fails_holds_up_no_other(name: str) -> None:
    """A fetch that fails leaves only what was delivered: the next one asks the next in turn."""
    (source,) = [each for each in SOURCES if each.spec.name == name]
    asked = []
    context = context_of(dict.fromkeys(source.spec.keys, "k3y"), TOKENS, {"BTC": 80_000.0})
    for _ in range(2):
        client = ScriptedClient([SourceUnavailable("down")])
        with pytest.raises(SourceUnavailable):
            asyncio.run(source.fetch(client, context))
        asked.append(client.asked[0]._replace(headers={}))
        context.memory = copy.deepcopy(context.kept)
    assert asked[0] != asked[1]
    assert context.delivered == []


@listed
def test_all_facts_wait_for_their_answer(source: Source) -> None:
    """What was received a day later was known a day later."""
    facts = source.parse(copy.deepcopy(SAMPLES[source.spec.name]), RECEIVED_MS)
    later = source.parse(copy.deepcopy(SAMPLES[source.spec.name]), RECEIVED_MS + 86_400_000)
    assert max(each.available_at_ms for each in facts) <= RECEIVED_MS
    assert {each.available_at_ms for each in later} != {each.available_at_ms for each in facts}


@listed
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(payload=json_values)
def test_any_payload_is_facts_or_a_payload_error(source: Source, payload: Any) -> None:
    assert_read(source, payload)


@listed
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_any_damage_is_facts_or_a_payload_error(source: Source, data: st.DataObject) -> None:
    sample = copy.deepcopy(SAMPLES[source.spec.name])
    if isinstance(sample, str | bytes):
        assert_read(source, damaged_text(sample, data))
        return
    for _ in range(data.draw(st.integers(1, 3))):
        damage(sample, data)
    assert_read(source, sample)


def damage(sample: Any, data: st.DataObject) -> None:
    """Replace or delete one part of a JSON value."""
    ways = paths(sample)
    if not ways:
        return
    *way, key = data.draw(st.sampled_from(ways))
    holder = sample
    for step in way:
        holder = holder[step]
    if data.draw(st.booleans()):
        holder[key] = copy.deepcopy(data.draw(json_values))
    else:
        del holder[key]


def paths(value: Any, before: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the way to every part of a JSON value."""
    if not isinstance(value, dict | list):
        return []
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    found = []
    for key, part in inner:
        found += [(*before, key), *paths(part, (*before, key))]
    return found


def damaged_text(sample: str | bytes, data: st.DataObject) -> str | bytes:
    raw = bytearray(sample.encode() if isinstance(sample, str) else sample)
    for _ in range(data.draw(st.integers(0, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(raw[: data.draw(st.integers(0, len(raw)))])
    return cut.decode(errors="replace") if isinstance(sample, str) else cut


def assert_read(source: Source, payload: Any) -> None:
    try:
        facts = source.parse(payload, RECEIVED_MS)
    except PayloadError as error:
        str(error).encode()  # can be logged
        return
    assert_sound(facts)


def assert_sound(facts: Sequence[Fact]) -> None:
    for fact in facts:
        assert type(fact.observed_at_ms) is int
        assert type(fact.available_at_ms) is int
        assert 0 <= fact.available_at_ms <= RECEIVED_MS
        assert fact.observed_at_ms <= fact.available_at_ms
        for field in fields(fact):
            value = getattr(fact, field.name)
            if isinstance(value, float):
                assert not isinf(value), field.name
                assert isfinite(value) or field.name in MAY_BE_UNKNOWN, field.name
        for text in texts(asdict(fact)):
            text.encode()  # can be stored
            assert len(text) <= 2_000
        CHECKS[type(fact)](fact)


def texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for part in value.values() for text in texts(part)]
    if isinstance(value, tuple):
        return [text for part in value for text in texts(part)]
    return [value] if isinstance(value, str) else []


def assert_token(token: str) -> None:
    assert token
    assert token == token.upper().strip()


def assert_transfer(fact: Transfer) -> None:
    assert_token(fact.token)
    assert fact.amount > 0
    assert not fact.amount_usd <= 0
    assert fact.tx_hash
    assert fact.blockchain == fact.blockchain.lower() != ""
    assert all((fact.origin.label, fact.target.label, fact.direction, fact.key))


def assert_trade(fact: WalletTrade) -> None:
    assert_token(fact.token)
    assert fact.side in ("buy", "sell")
    assert fact.wallet
    assert not fact.amount_usd < 0


def assert_reading(fact: Reading) -> None:
    assert fact.subject
    if fact.series in BY_TOKEN:
        assert_token(fact.subject)


def assert_story(fact: Story) -> None:
    assert fact.id
    assert fact.title
    assert -1 <= fact.polarity <= 1
    for token in fact.tokens:
        assert_token(token)


def assert_mentions(fact: Mentions) -> None:
    assert_token(fact.token)
    assert fact.platform
    assert fact.count >= 0
    assert fact.span_s > 0
    assert not abs(fact.polarity) > 1
    assert not fact.influence < 0


def assert_watched(fact: Watched) -> None:
    assert fact.subject == MARKET or fact.subject == fact.subject.upper() != ""
    assert fact.source


CHECKS: dict[type, Any] = {
    Transfer: assert_transfer,
    WalletTrade: assert_trade,
    Reading: assert_reading,
    Story: assert_story,
    Mentions: assert_mentions,
    Watched: assert_watched,
}

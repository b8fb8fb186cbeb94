"""Which hours were watched, and what settings are refused."""

import pytest
from pydantic import ValidationError

from external_layers.onchain.watch import Watch, Watching
from scalp_strategy.setting_groups.onchain import OnChainSettings
from tests.unit.external_layers.onchain.chain_facts import HOUR_MS, MINUTE_MS

HOUR = 480_000
START_MS = HOUR * HOUR_MS
GAP_MS = 30 * MINUTE_MS


def watched(*minutes: int) -> Watch:
    watch = Watch(GAP_MS, 0.8)
    for minute in minutes:
        watch.hear(START_MS + minute * MINUTE_MS)
    return watch


@pytest.mark.parametrize(
    ("minutes", "hours"),
    [
        ((), set()),
        ((0,), set()),
        ((0, 30, 48), {HOUR}),
        ((0, 30, 47), set()),
        ((12, 42, 60), {HOUR}),
        ((0, 31, 60), set()),  # nobody knows what happened in the first half
        ((0, 29, 30, 60, 90, 120), {HOUR, HOUR + 1}),
        ((0, 30, 20, 60), {HOUR}),  # what is told again changes nothing
        ((-10, 20, 48), {HOUR}),
        ((12, 42, 72, 102), {HOUR}),
    ],
)
def test_hours_are_watched_when_looks_follow_each_other(
    minutes: tuple[int, ...], hours: set[int]
) -> None:
    assert watched(*minutes).hours == hours


def test_a_look_is_fresh_for_as_long_as_the_next_may_take() -> None:
    watch = watched(0)
    assert watch.is_fresh(START_MS + GAP_MS)
    assert not watch.is_fresh(START_MS + GAP_MS + 1)
    assert not watched().is_fresh(START_MS)


def test_forgotten_hours_are_unknown() -> None:
    watch = watched(*range(0, 181, 20))
    revision = watch.revision
    watch.forget(START_MS + HOUR_MS)
    assert watch.hours == {HOUR + 1, HOUR + 2}
    assert watch.revision != revision
    assert watch.newest_ms == START_MS + 3 * HOUR_MS
    watch.forget(START_MS + 9 * HOUR_MS)
    assert not watch.hours
    assert not watch.is_fresh(START_MS)


def test_looks_at_everything_tell_of_a_token_too() -> None:
    both = Watching(watched(0, 30, 60), watched(60, 90, 120))
    assert both.hours == {HOUR, HOUR + 1}
    assert both.newest_ms == START_MS + 120 * MINUTE_MS
    assert both.is_fresh(START_MS + 150 * MINUTE_MS)


@pytest.mark.parametrize(
    "values",
    [
        {"exchange_wallets": {"0x28c6c06298d514db089934071355e5743bf21d60": "Binance"}},
        {"smart_wallets": {"ethereum:": "somebody"}},
        {"smart_wallets": {"ethereum:0x28c6 c06298d514db089934071355e5743": "somebody"}},
        {"outflow_scores": (90, 70)},
        {"inflow_scores": (40, 20)},
        {"min_transfer_usd": 2e6},
        {"flow_sigmas": (0.5, 0.25)},
        {"flow_sigmas": (0.5, 2.5)},
        {"full_flow_sigma": 1.5},
        {"flow_history_days": 1, "flow_min_hours": 25},
        {"dex_share": 0.5},
        {"stablecoins": ("usdt",)},
    ],
    ids=str,
)
def test_settings_that_make_no_sense_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        OnChainSettings(**values)


def test_wallets_of_ones_own() -> None:
    wallets = {
        "ethereum:0x28C6c06298d514Db089934071355E5743bf21d60": "Binance",
        "bitcoin:bc1qm34lsc65zpw79lxes69zkqmk6ee3ewf0j77s3h": "Binance",
        "solana:9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM": "Binance",
        "tron:TNXoiAJ3dct8Fjg4M9fkLFh9S2v9TXc32G": "Binance",
    }
    assert OnChainSettings(exchange_wallets=wallets).exchange_wallets == wallets
    assert OnChainSettings(smart_wallets=wallets).smart_wallets == wallets

"""The scanner on a real replay market over HTTP: both markets, faults, moves, and the host."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest
from freqtrade.plugins.pairlist.RemotePairList import RemotePairList

from external_layers.binance.messages import MarketKind
from external_layers.scanner.pairlist import PairlistFile
from external_layers.scanner.scanner import Scan, Scanner
from scalp_strategy.errors import RateLimited, SourceUnavailable
from scalp_strategy.setting_groups.scanner import ScannerSettings, ScanRequestSettings

# Enough weight to look at every pair in one scan.
SETTINGS = ScannerSettings(requests=ScanRequestSettings(weight_per_min=1_000))


@pytest.fixture
def market(replay_market: str) -> Any:
    httpx.post(f"{replay_market}/control/reset")
    yield replay_market
    httpx.post(f"{replay_market}/control/reset")


@dataclass
class Rest:
    """The least that a REST client can be."""

    session: aiohttp.ClientSession
    url: str

    async def get(
        self, path: str, params: Mapping[str, str | int] | None = None, *, weight: int
    ) -> Any:
        async with self.session.get(self.url + path, params=params) as answer:
            if answer.status == 429:
                raise RateLimited("429")
            if answer.status != 200:
                raise SourceUnavailable(str(answer.status))
            return await answer.json()


@dataclass
class Clock:
    ahead_ms: int = 0

    def __call__(self) -> int:
        return time.time_ns() // 1_000_000 + self.ahead_ms


Story = Callable[[Scanner, aiohttp.ClientSession, Clock], Awaitable[None]]


def told(url: str, kind: MarketKind, story: Story) -> None:
    async def run() -> None:
        clock = Clock()
        async with aiohttp.ClientSession() as session:
            scanner = Scanner(Rest(session, url), kind, SETTINGS, clock)
            await story(scanner, session, clock)

    asyncio.run(run())


def known(scan: Scan) -> int:
    return sum(each.volume_24h > 0 for each in scan.metrics.values())


@pytest.mark.parametrize(("kind", "suffix"), [("futures", "/USDT:USDT"), ("spot", "/USDT")])
def test_a_scan_of_the_whole_market(market: str, kind: MarketKind, suffix: str) -> None:
    async def story(scanner: Scanner, session: aiohttp.ClientSession, _: Clock) -> None:
        scan = await scanner.scan()
        assert (dict(scan.failed), dict(scan.dropped)) == ({}, {})
        assert len(scan.metrics) == known(scan) == 41
        qualified = {pair for pair, each in scan.metrics.items() if each.qualified}
        assert set(scan.active) == qualified
        assert len(scan.active) >= 10
        assert all(pair.endswith(suffix) for pair in scan.active)
        assert all(scan.metrics[pair].history_candles == 200 for pair in scan.active)
        scores = [scan.metrics[pair].opportunity_score for pair in scan.active]
        assert scores == sorted(scores, reverse=True)
        for pair in ("CTSI", "PHB", "GALA"):
            assert scan.metrics[pair + suffix].reasons[0].startswith("spread")
        async with session.get(f"{market}/control/requests") as answer:
            counted = await answer.json()
        assert sum(counted["weight"].values()) == scan.weight

    told(market, kind, story)


def test_faults_keep_the_last_good_values(market: str) -> None:
    async def story(scanner: Scanner, session: aiohttp.ClientSession, clock: Clock) -> None:
        first = await scanner.scan()
        for status, path in ((500, "ticker/24hr"), (429, "ticker/bookTicker")):
            rule = {"path": path, "status": status, "count": 1, "retry_after": 1}
            await session.post(f"{market}/control/errors", json=rule)
        clock.ahead_ms = 60_000
        second = await scanner.scan()
        assert second.failed == {"day_ticker": 1, "book_ticker": 1}
        assert set(second.active) == set(first.active)
        assert second.metrics[second.active[0]].ages_s["day_ticker"] >= 60
        clock.ahead_ms = 120_000
        assert (await scanner.scan()).failed == {}

    told(market, "futures", story)


def test_a_market_that_is_away_at_the_start_is_met_later(market: str) -> None:
    async def story(scanner: Scanner, session: aiohttp.ClientSession, clock: Clock) -> None:
        await session.post(f"{market}/control/errors", json={"path": "/fapi/", "status": 503})
        scan = await scanner.scan()
        assert (scan.active, dict(scan.metrics)) == ((), {})
        await session.post(f"{market}/control/reset")
        clock.ahead_ms = 180_000
        assert len((await scanner.scan()).active) >= 10

    told(market, "futures", story)


def test_a_move_shows_in_the_change(market: str) -> None:
    async def story(scanner: Scanner, session: aiohttp.ClientSession, clock: Clock) -> None:
        pair = "SOL/USDT:USDT"
        before = (await scanner.scan()).metrics[pair]
        move = {"symbol": "SOLUSDT", "factor": 1.1, "at": clock() - 600_000}
        await session.post(f"{market}/control/move", json=move)
        clock.ahead_ms = 60_000
        after = (await scanner.scan()).metrics[pair]
        expected = (1 + before.change_24h_pct / 100) * 1.1 * 100 - 100
        assert after.change_24h_pct == pytest.approx(expected, abs=1.0)
        assert after.price == pytest.approx(before.price * 1.1, rel=0.01)

    told(market, "futures", story)


def test_the_host_reads_the_last_known_list(market: str, tmp_path: Path) -> None:
    async def story(scanner: Scanner, session: aiohttp.ClientSession, _: Clock) -> None:
        scan = await scanner.scan()
        file = PairlistFile(tmp_path)
        file.save(scan.active, SETTINGS.refresh_s)
        assert json.loads(file.path.read_bytes())["refresh_period"] == 60
        assert pairs_of_the_host(file.url, list(scan.metrics)) == list(scan.active)

    told(market, "futures", story)


def pairs_of_the_host(url: str, listed: list[str]) -> list[str]:
    class Exchange:
        """What the plug-in asks of the host's exchange."""

        def get_markets(self) -> dict[str, None]:
            return dict.fromkeys(listed)

    own = {"pairlist_url": url, "number_assets": 40, "refresh_period": 5}
    config = {"stake_currency": "USDT", "trading_mode": "futures"}
    plugin = RemotePairList(Exchange(), None, config, own, 0)
    plugin._whitelist_for_active_markets = lambda pairs: pairs
    plugin.verify_blacklist = lambda pairs, _: pairs
    return plugin.gen_pairlist({})

"""CoinGecko, DefiLlama and DEX Screener: the size of the market, its dollars and its pools.

The capitalisation of BTC is its price in the generated market times its coins; dominance is a slow
walk; the total is the one over the other. Shapes: https://docs.coingecko.com/reference/crypto-global,
https://api-docs.defillama.com and https://docs.dexscreener.com/api/reference.
"""

import re
from typing import Any, Final

import numpy as np

from external_layers.replay.answer import Answer
from external_layers.replay.outside.addresses import EVM, address
from external_layers.replay.outside.asked import Asked, unknown
from external_layers.replay.outside.scene import DAY_MS, HOUR_MS, Scene
from external_layers.replay.outside.script import DominanceFact, TotalCapFact
from external_layers.replay.outside.walks import unit, wander, wander_at
from external_layers.sources import tokens

_COINS: Final = 19.95e6  # of BTC
_PRICE: Final = 91_000.0  # of BTC where it is not on the market
_DOMINANCE: Final = (57.0, 3.0)  # percent: mean and standard deviation
_DOMINANCE_PERSISTENCE: Final = 0.95  # a day
_SUPPLY_DAY: Final = 19_723  # 2024-01-01
_SUPPLY: Final = 1.3e11  # dollars on that day
_SUPPLY_GROWTH: Final = 0.0007  # a day
_SUPPLY_WAVE: Final = 0.01
_SUPPLY_PERSISTENCE: Final = 0.97
_SUPPLY_DAYS: Final = 1_000  # of the chart
_SHARES: Final = {"USDT": ("Tether", 0.60), "USDC": ("USD Coin", 0.25), "DAI": ("Dai", 0.02)}
_POOLS: Final = re.compile(r"/token-pairs/v1/([a-z]+)/([A-Za-z0-9]+)")
_TRADES: Final = 900.0  # an hour in a pool, about
_LEAN: Final = 3.0  # by how much buyers are more, per share of the last hour's rise
_LIQUIDITY: Final = (5_000.0, 4e6)  # dollars of the second pool and of the first
_MS_PER_S: Final = 1_000


class Markets:
    """The services."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    # ---- CoinGecko ----

    def coingecko(self, asked: Asked) -> Answer:
        """Answer as CoinGecko's global view."""
        if asked.path != "/api/v3/global":
            raise unknown(asked)
        now_ms = self._scene.now_ms
        dominance, total = self.dominance(now_ms), self.total_cap(now_ms)
        rest = 100.0 - dominance
        shares = {"btc": dominance, "eth": rest * 0.28, "usdt": rest * 0.13, "sol": rest * 0.06}
        before = self.total_cap(now_ms - DAY_MS)
        data = {
            "active_cryptocurrencies": 17_500,
            "upcoming_icos": 0,
            "ongoing_icos": 49,
            "ended_icos": 3_376,
            "markets": 1_300,
            "total_market_cap": {"usd": total, "btc": _COINS / dominance * 100.0},
            "total_volume": {"usd": total * 0.04},
            "market_cap_percentage": shares,
            "market_cap_change_percentage_24h_usd": (total / before - 1.0) * 100.0,
            "updated_at": now_ms // _MS_PER_S,
        }
        return Answer({"data": data})

    def dominance(self, at_ms: int) -> float:
        """Return the share of BTC in percent."""
        told = self._scene.script.last(DominanceFact, at_ms)
        if told is not None:
            return told.value
        mean, spread = _DOMINANCE
        if self._scene.script.is_calm:
            return mean
        day = (at_ms + self._scene.shift_ms) / DAY_MS
        walk = wander_at(self._scene.seed, ("dominance",), day, _DOMINANCE_PERSISTENCE)
        return mean + spread * walk

    def total_cap(self, at_ms: int) -> float:
        """Return the capitalisation of the whole market in dollars."""
        told = self._scene.script.last(TotalCapFact, at_ms)
        if told is not None:
            return told.value
        price = self._scene.price("BTC", at_ms)
        price = price if np.isfinite(price) else _PRICE
        return _COINS * price / self.dominance(at_ms) * 100.0

    # ---- DefiLlama ----

    def defillama(self, asked: Asked) -> Answer:
        """Answer as DefiLlama's stablecoins."""
        if asked.path == "/stablecoincharts/all":
            return Answer(self._chart())
        if asked.path == "/stablecoins":
            return Answer({"peggedAssets": self._assets()})
        raise unknown(asked)

    def _supply(self, last_day: int, days: int) -> list[float]:
        """Return the dollars of all stablecoins on some days of the wall clock."""
        first = self._scene.market_day((last_day - days + 1) * DAY_MS)
        wave = wander(self._scene.seed, ("supply",), first, days, _SUPPLY_PERSISTENCE)
        grown = _SUPPLY_GROWTH * (np.arange(first, first + days) - _SUPPLY_DAY)
        supply = _SUPPLY * np.exp(grown + _SUPPLY_WAVE * wave)
        if self._scene.script.is_calm:
            supply = np.full(days, supply[-1])
        found: list[float] = supply.tolist()
        return found

    def _chart(self) -> list[dict[str, Any]]:
        last = self._scene.now_ms // DAY_MS
        supply = self._supply(last, _SUPPLY_DAYS)
        days = range(last - _SUPPLY_DAYS + 1, last + 1)
        return [
            {
                "date": str(day * DAY_MS // _MS_PER_S),
                "totalCirculating": {"peggedUSD": total, "peggedEUR": total * 0.002},
                "totalUnreleased": {"peggedUSD": 0},
                "totalCirculatingUSD": {"peggedUSD": total, "peggedEUR": total * 0.0023},
                "totalMintedUSD": {"peggedUSD": total},
                "totalBridgedToUSD": {"peggedUSD": 0},
            }
            for day, total in zip(days, supply, strict=True)
        ]

    def _assets(self) -> list[dict[str, Any]]:
        before, now = self._supply(self._scene.now_ms // DAY_MS, 2)
        return [
            {
                "id": str(place),
                "name": name,
                "symbol": symbol,
                "gecko_id": name.lower().replace(" ", "-"),
                "pegType": "peggedUSD",
                "pegMechanism": "fiat-backed",
                "circulating": {"peggedUSD": now * share},
                "circulatingPrevDay": {"peggedUSD": before * share},
                "chains": ["Ethereum", "Tron", "Solana"],
            }
            for place, (symbol, (name, share)) in enumerate(_SHARES.items(), start=1)
        ]

    # ---- DEX Screener ----

    def dexscreener(self, asked: Asked) -> Answer:
        """Answer as DEX Screener: two pools of a token that is on the market, one of them tiny."""
        found = _POOLS.fullmatch(asked.path)
        if found is None:
            raise unknown(asked)
        chain, contract = found[1], found[2]
        name = contract.lower() if chain in EVM else contract
        rows = (row for row in tokens.listed() if (row.chain, row.contract) == (chain, name))
        row = next(rows, None)
        if row is None or row.coin.ticker not in self._scene.tokens:
            return Answer([])
        return Answer([self._pool(row, usd) for usd in reversed(_LIQUIDITY)])

    def _pool(self, row: tokens.Listed, liquidity_usd: float) -> dict[str, Any]:
        scene, ticker = self._scene, row.coin.ticker
        hour = (scene.now_ms + scene.shift_ms) // HOUR_MS
        rise = scene.change(ticker, HOUR_MS, scene.now_ms)
        share = 0.5 if scene.script.is_calm else min(0.9, max(0.1, 0.5 + _LEAN * rise))
        trades = _TRADES * (0.5 + unit(scene.seed, "pool", row.chain, ticker, hour))
        buys, sells = round(trades * share), round(trades * (1.0 - share))
        price = scene.price(ticker, scene.now_ms)
        counts = {"buys": buys, "sells": sells}
        day = {"buys": buys * 24, "sells": sells * 24}
        return {
            "chainId": row.chain,
            "dexId": "raydium" if row.chain == "solana" else "uniswap",
            "url": f"https://dexscreener.com/{row.chain}/{ticker.lower()}",
            "pairAddress": address(row.chain, scene.seed, f"pool:{ticker}:{liquidity_usd:g}"),
            "baseToken": {"address": row.contract, "name": ticker, "symbol": ticker},
            "quoteToken": {
                "address": address(row.chain, scene.seed, "quote"),
                "name": "USD Coin",
                "symbol": "USDC",
            },
            "priceNative": f"{price:.8g}",
            "priceUsd": f"{price:.8g}",
            "txns": {"m5": {"buys": buys // 12, "sells": sells // 12}, "h1": counts, "h24": day},
            "volume": {"h24": liquidity_usd * 2, "h1": liquidity_usd / 12},
            "priceChange": {"h1": round(rise * 100, 2)},
            "liquidity": {"usd": liquidity_usd, "base": 1_000, "quote": 1_000},
            "fdv": 1e9,
            "marketCap": 1e9,
            "pairCreatedAt": 1_650_000_000_000,
        }

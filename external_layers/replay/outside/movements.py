"""Large transfers between exchanges and everybody else: what the chains and the paid services tell.

They come at random, some an hour, on the chains where a token lives. All providers tell of the same
ones, each in its own way.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import isnan
from typing import Final, NamedTuple

import numpy as np

from external_layers.replay.outside.addresses import EVM, address, hash_of
from external_layers.replay.outside.happenings import Happenings
from external_layers.replay.outside.scene import HOUR_MS, Scene
from external_layers.replay.outside.script import Direction, WhaleFact
from external_layers.sources import tokens, wallets

TOLD_MS: Final = 6 * HOUR_MS  # how far back anybody is told
# Transfers an hour, by chain and token: coins where they are on the market, stablecoins always.
_RATES: Final[dict[tuple[str, str], float]] = {
    ("bitcoin", "BTC"): 3.0,
    ("ethereum", "ETH"): 2.0,
    ("solana", "SOL"): 2.0,
    ("bsc", "BNB"): 0.5,
    ("tron", "USDT"): 4.0,
    ("ethereum", "USDT"): 3.0,
    ("ethereum", "USDC"): 2.0,
    ("solana", "USDC"): 1.0,
    ("bsc", "USDT"): 0.5,
    ("arbitrum", "USDC"): 0.5,
    ("polygon", "USDC"): 0.2,
}
_OTHER_RATE: Final = 0.1
# Coins with a chain of their own that no free source reads.
_OWN_CHAINS: Final = {
    "XRP": "ripple", "DOGE": "dogecoin", "ADA": "cardano", "LTC": "litecoin", "TRX": "tron",
    "BCH": "bitcoin_cash", "AVAX": "avalanche", "DOT": "polkadot", "ATOM": "cosmos",
    "NEAR": "near", "TON": "ton", "XLM": "stellar", "HBAR": "hedera", "ALGO": "algorand",
}  # fmt: skip
_DIRECTIONS: Final[tuple[Direction, ...]] = (
    "deposit",
    "withdrawal",
    "between_exchanges",
    "between_wallets",
)
_CHANCES: Final = (0.4, 0.4, 0.1, 0.1)
_MEDIAN_USD: Final = 1.6e6
_SPREAD: Final = 0.9  # standard deviation of the logarithm
_USD_RANGE: Final = (3e5, 2e8)
_PLAIN_DECIMALS: Final = 6  # of a coin that is on no list
_KEPT_DIGITS: Final = 6  # after the point of an amount


class End(NamedTuple):
    """One end of a transfer; `exchange` is empty for a wallet that nobody knows."""

    address: str
    exchange: str = ""


@dataclass(frozen=True, slots=True)
class Movement:
    """A transfer.

    Attributes
    ----------
    units
        The amount in the chain's smallest unit, of which a token has 10 to the power of `decimals`.
    contract
        Empty for the chain's own coin.
    at_ms
        When it was sent (wall time).
    """

    key: str
    chain: str
    token: str
    units: int
    decimals: int
    usd: float
    contract: str
    origin: End
    target: End
    tx_hash: str
    at_ms: int

    @property
    def amount(self) -> float:
        """In tokens."""
        return float(self.units / 10**self.decimals)


class Route(NamedTuple):
    """A chain on which a token moves: its contract there, and its decimals."""

    chain: str
    token: str
    contract: str
    decimals: int


class Movements:
    """All transfers of the world."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self.routes = _routes(tuple(scene.tokens))
        self._random = [self._happenings(route) for route in self.routes]

    def between(self, start_ms: int, stop_ms: int, chain: str = "") -> list[Movement]:
        """Return the transfers sent in [start, stop), oldest first; with `chain`, of it alone."""
        start_ms = max(start_ms, self._scene.now_ms - TOLD_MS)
        found = self._scripted(start_ms, stop_ms)
        if not self._scene.script.is_calm:
            for route, happenings in zip(self.routes, self._random, strict=True):
                if chain in ("", route.chain):
                    found += happenings.between(start_ms, stop_ms)
        of_chain = [each for each in found if chain in ("", each.chain) and each.units > 0]
        return sorted(of_chain, key=lambda each: (each.at_ms, each.tx_hash))

    def recent(self, chain: str = "") -> list[Movement]:
        """Return the transfers that are still told, oldest first."""
        now_ms = self._scene.now_ms
        return self.between(now_ms - TOLD_MS, now_ms + 1, chain)

    def route(self, token: str) -> Route:
        """Return where a token moves most; ValueError when it is unknown."""
        for route in self.routes:
            if route.token == token:
                return route
        known = sorted({route.token for route in self.routes})
        raise ValueError(f"no whales of {token!r}; of: {', '.join(known)}")

    def check(self, fact: WhaleFact) -> None:
        """Refuse a whale that could not be; ValueError says why."""
        route = self.route(fact.token)
        names = {end.exchange for end in exchange_ends(route.chain)}
        if fact.exchange is not None and fact.exchange not in names:
            raise ValueError(f"{fact.exchange!r} has no wallet on {route.chain}: {sorted(names)}")

    def movement(
        self, route: Route, key: str, usd: float, ends: tuple[End, End], at_ms: int
    ) -> Movement:
        """Return a transfer along a route, of so much worth, from the first end to the other."""
        price = self._scene.price(route.token, at_ms)
        amount = 0.0 if isnan(price) else usd / price
        digits = min(route.decimals, _KEPT_DIGITS)
        units = round(amount * 10**digits) * 10 ** (route.decimals - digits)
        return Movement(
            key=key,
            chain=route.chain,
            token=route.token,
            units=units,
            decimals=route.decimals,
            usd=usd,
            contract=route.contract,
            origin=ends[0],
            target=ends[1],
            tx_hash=hash_of(route.chain, self._scene.seed, key),
            at_ms=at_ms,
        )

    def _happenings(self, route: Route) -> Happenings[Movement]:
        rate = _RATES.get((route.chain, route.token), _OTHER_RATE)

        def make(key: str, rng: np.random.Generator, at_ms: int) -> Movement:
            usd = np.clip(_MEDIAN_USD * np.exp(_SPREAD * rng.standard_normal()), *_USD_RANGE)
            direction = _DIRECTIONS[rng.choice(len(_DIRECTIONS), p=_CHANCES)]
            ends = self._ends(route.chain, direction, key, exchange_ends(route.chain), rng)
            return self.movement(route, key, float(usd), ends, at_ms)

        return Happenings(self._scene, f"moves:{route.chain}:{route.token}", rate, make)

    def _scripted(self, start_ms: int, stop_ms: int) -> list[Movement]:
        found = []
        for fact, placed in self._scene.script.of(WhaleFact, self._scene.now_ms):
            if start_ms <= placed.at_ms < stop_ms:
                route, key = self.route(fact.token), f"whale:{placed.at_ms}:{placed.number}"
                ours = [
                    end
                    for end in exchange_ends(route.chain)
                    if fact.exchange in (None, end.exchange)
                ]
                rng = np.random.default_rng(placed.number)
                ends = self._ends(route.chain, fact.direction, key, ours, rng)
                found.append(self.movement(route, key, fact.usd, ends, placed.at_ms))
        return found

    def _ends(
        self,
        chain: str,
        direction: Direction,
        key: str,
        ours: Sequence[End],
        rng: np.random.Generator,
    ) -> tuple[End, End]:
        seed = self._scene.seed
        exchange = ours[int(rng.integers(len(ours)))]
        somebody = End(address(chain, seed, key))
        if direction == "deposit":
            return somebody, exchange
        if direction == "withdrawal":
            return exchange, somebody
        if direction == "between_wallets":
            return somebody, End(address(chain, seed, f"{key}:to"))
        others = [end for end in exchange_ends(chain) if end.exchange != exchange.exchange]
        return exchange, others[int(rng.integers(len(others)))] if others else somebody


@cache
def exchange_ends(chain: str) -> tuple[End, ...]:
    """Return the busy wallets of exchanges on a chain; where none is listed, one of each."""
    busy = tuple(
        End(row.address, row.exchange) for row in wallets.listed() if chain in row.asked_on
    )
    if busy:
        return busy
    names = sorted({row.exchange for row in wallets.listed() if row.asked_on})
    return tuple(End(address(chain, 0, name), name) for name in names)


def _routes(on_market: tuple[str, ...]) -> list[Route]:
    """Return where tokens move, for each the busiest chain first."""
    listed: dict[str, list[Route]] = defaultdict(list)
    for row in tokens.listed():
        listed[row.coin.ticker].append(
            Route(row.chain, row.coin.ticker, row.contract, row.coin.decimals)
        )
    found = []
    for chain, ticker in sorted(_RATES, key=lambda pair: -_RATES[pair]):
        coin = tokens.NATIVE.get(chain)
        if coin is not None and coin.ticker == ticker:
            found += [Route(chain, ticker, "", coin.decimals)] if ticker in on_market else []
        else:
            found += [route for route in listed[ticker] if route.chain == chain][:1]
    rest = [ticker for ticker in on_market if ticker not in {route.token for route in found}]
    return [*found, *(_other(ticker, listed[ticker]) for ticker in rest)]


def _other(ticker: str, listed: list[Route]) -> Route:
    if ticker not in _OWN_CHAINS and listed:
        return next((route for route in listed if route.chain in EVM), listed[0])
    return Route(_OWN_CHAINS.get(ticker, ticker.lower()), ticker, "", _PLAIN_DECIMALS)

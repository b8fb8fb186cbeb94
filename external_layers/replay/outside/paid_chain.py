"""Services that sell what the chains tell: Whale Alert, Arkham, Nansen, CryptoQuant, Glassnode.

Shapes: https://docs.whale-alert.io, https://docs.intel.arkm.com/openapi/transfers,
https://docs.nansen.ai/api/smart-money/dex-trades, https://userguide.cryptoquant.com and
https://docs.glassnode.com.
"""

from datetime import UTC, datetime
from typing import Any, Final

import numpy as np

from external_layers.replay.answer import Answer
from external_layers.replay.outside.addresses import EVM, address, hash_of
from external_layers.replay.outside.asked import Asked, demand, unknown
from external_layers.replay.outside.happenings import Happenings
from external_layers.replay.outside.movements import End, Movement, Movements
from external_layers.replay.outside.scene import DAY_MS, HOUR_MS, Scene
from external_layers.replay.outside.walks import noise

_PAGE: Final = 100
_MS_PER_S: Final = 1_000
_DEX_CHAINS: Final = ("ethereum", "solana", "base", "bnb", "arbitrum")
_LABELS: Final = ("Fund", "Smart Trader", "30D Smart Trader", "90D Smart Trader")
_DEX_TRADES_PER_HOUR: Final = 12.0
_TRADE_USD: Final = (1_000.0, 120_000.0)
# Standard deviation of an hour's net flow in dollars.
_FLOW_USD: Final = {"BTC": 4e7, "ETH": 2.5e7, "USDT": 6e7, "USDC": 3e7}
_CALM_HOURS: Final = 24  # that read zero in a calm world
_PATHS: Final = {
    "/v1/btc/exchange-flows/netflow": "BTC",
    "/v1/eth/exchange-flows/netflow": "ETH",
    "/v1/stablecoin/exchange-flows/netflow": "",
}
_NET: Final = "/v1/metrics/transactions/transfers_volume_exchanges_net"


class PaidChain:
    """The services."""

    def __init__(self, scene: Scene, movements: Movements) -> None:
        self._scene = scene
        self._movements = movements
        self._trades = Happenings(scene, "smart", _DEX_TRADES_PER_HOUR, self._trade)

    # ---- Whale Alert ----

    def whale_alert(self, asked: Asked) -> Answer:
        """Answer as Whale Alert's v1."""
        demand(asked.params.get("api_key", ""), {"result": "error", "message": "invalid api_key"})
        if asked.path == "/v1/status":
            return Answer(self._whale_status())
        if asked.path != "/v1/transactions":
            raise unknown(asked)
        after_ms = _cursor_ms(asked.params.get("cursor", ""))
        start_ms = max(asked.whole("start", 0) * _MS_PER_S, after_ms + 1)
        least = asked.whole("min_value", 500_000)
        found = [
            each
            for each in self._movements.between(start_ms, self._scene.now_ms + 1)
            if each.usd >= least
        ][: asked.whole("limit", _PAGE, _PAGE)]
        last_ms = found[-1].at_ms if found else max(after_ms, start_ms - 1)
        return Answer(
            {
                "result": "success",
                "cursor": f"{last_ms:x}-{last_ms:x}-{self._scene.seed:x}",
                "count": len(found),
                "transactions": [_whale_row(each) for each in found],
            }
        )

    def _whale_status(self) -> dict[str, Any]:
        symbols: dict[str, list[str]] = {}
        for route in self._movements.routes:
            symbols.setdefault(route.chain, []).append(route.token.lower())
        chains = [
            {"name": chain, "symbols": listed, "status": "connected"}
            for chain, listed in symbols.items()
        ]
        return {"result": "success", "blockchain_count": len(chains), "blockchains": chains}

    # ---- Arkham ----

    def arkham(self, asked: Asked) -> Answer:
        """Answer as Arkham's list of transfers."""
        demand(asked.headers.get("api-key", ""), {"message": "missing API key"})
        if asked.path != "/transfers":
            raise unknown(asked)
        least, start_ms = asked.whole("usdGte", 0), asked.whole("timeGte", 0)
        found = [
            each
            for each in self._movements.between(start_ms, self._scene.now_ms + 1)
            if each.usd >= least
            and ("from" not in asked.params or each.origin.exchange)
            and ("to" not in asked.params or each.target.exchange)
        ]
        if asked.params.get("sortDir", "desc") == "desc":
            found.reverse()
        page = found[: asked.whole("limit", 20, _PAGE)]
        return Answer({"transfers": [_arkham_row(each) for each in page], "count": len(found)})

    # ---- Nansen ----

    def nansen(self, asked: Asked) -> Answer:
        """Answer as Nansen's trades of smart money."""
        demand(asked.headers.get("apikey", ""), {"error": "Unauthorized", "message": "no API key"})
        if asked.path != "/api/v1/smart-money/dex-trades" or asked.method != "POST":
            raise unknown(asked)
        asked.json()
        now_ms = self._scene.now_ms
        found: list[dict[str, Any]] = []
        if not self._scene.script.is_calm:
            found = self._trades.between(now_ms - 6 * HOUR_MS, now_ms + 1)[::-1][:_PAGE]
        pages = {"page": 1, "per_page": _PAGE, "is_last_page": True}
        return Answer({"data": found, "pagination": pages})

    def _trade(self, key: str, rng: np.random.Generator, at_ms: int) -> dict[str, Any]:
        names = sorted(self._scene.tokens)
        token = names[int(rng.integers(len(names)))]
        chain = _DEX_CHAINS[int(rng.integers(len(_DEX_CHAINS)))]
        usd = float(rng.uniform(*_TRADE_USD))
        price = self._scene.price(token, at_ms)
        amount = usd / price if price > 0 else usd
        is_buy = rng.random() < 0.5
        bought, sold = ((token, amount), ("USDC", usd))[:: 1 if is_buy else -1]
        kind, seed = chain if chain in EVM or chain == "solana" else "bsc", self._scene.seed
        return {
            "chain": chain,
            "block_timestamp": _iso(at_ms, "%Y-%m-%dT%H:%M:%S"),
            "transaction_hash": hash_of(kind, seed, key),
            "trader_address": address(kind, seed, f"smart:{rng.integers(40)}"),
            "trader_address_label": _LABELS[int(rng.integers(len(_LABELS)))],
            "token_bought_address": address(kind, seed, bought[0]),
            "token_sold_address": address(kind, seed, sold[0]),
            "token_bought_amount": bought[1],
            "token_sold_amount": sold[1],
            "token_bought_symbol": bought[0],
            "token_sold_symbol": sold[0],
            "token_bought_age_days": 900,
            "token_sold_age_days": 2_100,
            "token_bought_market_cap": 1e9,
            "token_sold_market_cap": 6e10,
            "trade_value_usd": usd,
        }

    # ---- net flows ----

    def cryptoquant(self, asked: Asked) -> Answer:
        """Answer as CryptoQuant: coins, the newest hour first."""
        refusal = {"status": {"code": 401, "message": "unauthorized"}}
        demand(asked.bearer(), refusal)
        token = _PATHS.get(asked.path)
        if token is None:
            raise unknown(asked)
        token = token or asked.params.get("token", "").partition("_")[0].upper()
        if token not in _FLOW_USD:
            raise unknown(asked)
        count = asked.whole("limit", _PAGE, 100_000)
        stop = self._scene.now_ms // HOUR_MS + 1
        hours = self._flows(token, max(0, stop - count), stop)
        unit_usd = self._scene.price(token, self._scene.now_ms)
        rows = [
            {
                "datetime": _iso(hour * HOUR_MS, "%Y-%m-%d %H:%M:%S"),
                "netflow_total": usd / unit_usd if unit_usd > 0 else usd,
            }
            for hour, usd in reversed(hours)
        ]
        status = {"code": 200, "message": "success"}
        return Answer({"status": status, "result": {"window": "hour", "data": rows}})

    def glassnode(self, asked: Asked) -> Answer:
        """Answer as Glassnode: dollars, the oldest hour first."""
        key = asked.headers.get("x-api-key", "") or asked.params.get("api_key", "")
        demand(key, {"error": "unauthorized"})
        token = asked.params.get("a", "")
        if asked.path != _NET or token not in _FLOW_USD:
            raise unknown(asked)
        now_ms = self._scene.now_ms
        start_ms = max(asked.whole("s", 0) * _MS_PER_S, now_ms - 365 * DAY_MS)
        hours = self._flows(token, -(-start_ms // HOUR_MS), now_ms // HOUR_MS + 1)
        return Answer([{"t": hour * HOUR_MS // _MS_PER_S, "v": usd} for hour, usd in hours])

    def _flows(self, token: str, start: int, stop: int) -> list[tuple[int, float]]:
        """Return net inflows in dollars by hour of the wall clock, the running one included."""
        shift = self._scene.shift_ms // HOUR_MS
        drawn = noise(self._scene.seed, ("netflow", token), start + shift, max(0, stop - start))
        flows = drawn * _FLOW_USD[token]
        if self._scene.script.is_calm:
            flows[-_CALM_HOURS:] = 0.0
        return list(zip(range(start, stop), flows.tolist(), strict=True))


def _iso(at_ms: int, form: str) -> str:
    return datetime.fromtimestamp(at_ms // _MS_PER_S, UTC).strftime(form)


def _cursor_ms(cursor: str) -> int:
    try:
        return int(cursor.partition("-")[0], 16)
    except ValueError:
        return 0


def _whale_row(movement: Movement) -> dict[str, Any]:
    return {
        "blockchain": movement.chain,
        "symbol": movement.token.lower(),
        "id": str(movement.at_ms),
        "transaction_type": "transfer",
        "hash": movement.tx_hash.removeprefix("0x"),
        "from": _whale_end(movement.origin),
        "to": _whale_end(movement.target),
        "timestamp": movement.at_ms // _MS_PER_S,
        "amount": movement.amount,
        "amount_usd": movement.usd,
        "transaction_count": 1,
    }


def _whale_end(end: End) -> dict[str, Any]:
    where = {"address": end.address.removeprefix("0x")}
    if not end.exchange:
        return where | {"owner_type": "unknown"}
    return where | {"owner": end.exchange.lower(), "owner_type": "exchange"}


def _arkham_row(movement: Movement) -> dict[str, Any]:
    origin, target = (
        _arkham_end(end, movement.chain) for end in (movement.origin, movement.target)
    )
    row = {
        "id": movement.key,
        "toAddress": target,
        "tokenAddress": movement.contract or None,
        "type": "external",
        "blockTimestamp": _iso(movement.at_ms, "%Y-%m-%dT%H:%M:%SZ"),
        "tokenName": movement.token,
        "tokenSymbol": movement.token,
        "tokenDecimals": movement.decimals,
        "unitValue": movement.amount,
        "historicalUSD": movement.usd,
        "chain": movement.chain,
    }
    if movement.chain == "bitcoin":
        spent = [{"address": origin, "value": movement.amount}]
        return row | {"txid": movement.tx_hash, "fromAddresses": spent}
    return row | {"transactionHash": movement.tx_hash, "fromAddress": origin}


def _arkham_end(end: End, chain: str) -> dict[str, Any]:
    found: dict[str, Any] = {"address": end.address, "chain": chain, "contract": False}
    if end.exchange:
        entity = {"name": end.exchange, "id": end.exchange.lower(), "type": "cex"}
        found |= {"arkhamEntity": entity, "arkhamLabel": {"name": "Hot Wallet", "chainType": "evm"}}
    return found

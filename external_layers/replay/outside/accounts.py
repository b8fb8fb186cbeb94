"""Etherscan and TronGrid: what an address has sent and received.

Shapes: https://docs.etherscan.io/api-reference/endpoint/tokentx, ``txlist``, and
https://developers.tron.network/reference/get-trc20-transaction-info-by-account-address. An address
of an EVM chain that is no listed wallet of an exchange is somebody who trades: it swaps dollars for
tokens of the market and back.
"""

import re
from functools import lru_cache
from typing import Any, Final

import numpy as np

from external_layers.replay.answer import Answer
from external_layers.replay.outside.addresses import address, hash_of
from external_layers.replay.outside.asked import Asked, demand, unknown
from external_layers.replay.outside.happenings import Happenings
from external_layers.replay.outside.movements import TOLD_MS, End, Movement, Movements, Route
from external_layers.replay.outside.scene import Scene
from external_layers.sources import tokens, wallets

_CHAINS: Final = {
    "1": "ethereum",
    "56": "bsc",
    "8453": "base",
    "42161": "arbitrum",
    "137": "polygon",
}
_BLOCK_MS: Final = 12_000
_GENESIS_MS: Final = 1_438_269_988_000
_MOST_ROWS: Final = 1_000  # of a free plan's page
_SWAPS_PER_HOUR: Final = 0.5
_SWAP_USD: Final = (2_000.0, 80_000.0)
_MOST_TRADERS: Final = 64
_TRC20: Final = re.compile(r"/v1/accounts/(T[A-Za-z0-9]{33})/transactions/trc20")
_MOST_TRC20: Final = 200
_MS_PER_S: Final = 1_000


class Accounts:
    """Chains with accounts, asked by address."""

    def __init__(self, scene: Scene, movements: Movements) -> None:
        self._scene = scene
        self._movements = movements
        self._swaps = lru_cache(_MOST_TRADERS)(self._swaps_of)

    # ---- Etherscan ----

    def etherscan(self, asked: Asked) -> Answer:
        """Answer as Etherscan V2, on a free plan that serves all chains."""
        if asked.path not in ("/v2/api", "/v2/api/"):
            raise unknown(asked)
        params = asked.params
        demand(params.get("apikey", ""), _said("Missing/Invalid API Key"))
        chain = _CHAINS.get(params.get("chainid", ""))
        if chain is None:
            return Answer(_said("Missing or unsupported chainid parameter (required for v2 api)"))
        action = params.get("action", "")
        if params.get("module") != "account" or action not in ("tokentx", "txlist"):
            return Answer(_said("Error! Missing Or invalid Action name"))
        found = self._rows(chain, params.get("address", "").lower(), is_coin=action == "txlist")
        first, last = asked.whole("startblock", 0), asked.whole("endblock", 10**12)
        told = [row for row in found if first <= int(row["blockNumber"]) <= last]
        if params.get("sort", "asc") == "desc":
            told.reverse()
        size = asked.whole("offset", _MOST_ROWS, _MOST_ROWS)
        begin = (max(1, asked.whole("page", 1)) - 1) * size
        if not (page := told[begin : begin + size]):
            return Answer({"status": "0", "message": "No transactions found", "result": []})
        return Answer({"status": "1", "message": "OK", "result": page})

    def _rows(self, chain: str, where: str, *, is_coin: bool) -> list[dict[str, Any]]:
        """Return the rows of an address, oldest first."""
        found = [
            each
            for each in self._movements.recent(chain)
            if where in (each.origin.address, each.target.address)
        ]
        if where not in wallets.owners(chain):
            now_ms = self._scene.now_ms
            swaps = self._swaps(chain, where).between(now_ms - TOLD_MS, now_ms + 1)
            found += [leg for swap in swaps for leg in swap]
        return [
            self._row(each)
            for each in sorted(found, key=lambda each: each.at_ms)
            if each.chain == chain and is_coin == (not each.contract)
        ]

    def _row(self, movement: Movement) -> dict[str, Any]:
        now_block, block = (_block(ms) for ms in (self._scene.now_ms, movement.at_ms))
        row = {
            "blockNumber": str(block),
            "timeStamp": str(movement.at_ms // _MS_PER_S),
            "hash": movement.tx_hash,
            "nonce": "10034",
            "blockHash": hash_of("ethereum", self._scene.seed, f"block:{block}"),
            "from": movement.origin.address,
            "to": movement.target.address,
            "contractAddress": movement.contract,
            "value": str(movement.units),
            "transactionIndex": "4",
            "gas": "207128",
            "gasPrice": "1020000000",
            "gasUsed": "63197",
            "cumulativeGasUsed": "1209000",
            "confirmations": str(now_block - block),
        }
        if not movement.contract:
            kind = {"isError": "0", "txreceipt_status": "1", "methodId": "0x", "functionName": ""}
            return row | kind | {"input": "0x"}
        return row | {
            "tokenName": movement.token,
            "tokenSymbol": movement.token,
            "tokenDecimal": str(movement.decimals),
            "input": "deprecated",
        }

    def _swaps_of(self, chain: str, who: str) -> Happenings[list[Movement]]:
        """Return the swaps of somebody: dollars for a token of the market, or back."""
        listed = [row for row in tokens.listed() if row.chain == chain]
        coins = [row for row in listed if row.coin.ticker in self._scene.tokens]
        dollars = next(row for row in listed if row.coin.ticker == "USDC")

        def make(key: str, rng: np.random.Generator, at_ms: int) -> list[Movement]:
            if not coins:
                return []
            coin, usd = coins[int(rng.integers(len(coins)))], float(rng.uniform(*_SWAP_USD))
            pool = End(address(chain, self._scene.seed, "pool"))
            ends = (End(who), pool) if rng.random() < 0.5 else (pool, End(who))
            legs = [(coin, ends), (dollars, ends[::-1])]
            return [
                self._movements.movement(
                    Route(chain, row.coin.ticker, row.contract, row.coin.decimals),
                    key,
                    usd,
                    (both[0], both[1]),
                    at_ms,
                )
                for row, both in legs
            ]

        return Happenings(self._scene, f"swaps:{chain}:{who}", _SWAPS_PER_HOUR, make)

    # ---- TronGrid ----

    def trongrid(self, asked: Asked) -> Answer:
        """Answer as TronGrid, with or without a key."""
        found = _TRC20.fullmatch(asked.path)
        if found is None:
            raise unknown(asked)
        first = asked.whole("min_timestamp", 0)
        wanted = asked.params.get("contract_address", "")
        rows = [
            _trc20_row(each)
            for each in reversed(self._movements.recent("tron"))
            if found[1] in (each.origin.address, each.target.address)
            and each.at_ms >= first
            and each.contract
            and wanted in ("", each.contract)
        ]
        if asked.params.get("order_by") == "block_timestamp,asc":
            rows.reverse()
        page = rows[: asked.whole("limit", 20, _MOST_TRC20)]
        meta = {"at": self._scene.now_ms, "page_size": len(page)}
        return Answer({"data": page, "success": True, "meta": meta})


def _said(why: str) -> dict[str, Any]:
    return {"status": "0", "message": "NOTOK", "result": why}


def _block(at_ms: int) -> int:
    return (at_ms - _GENESIS_MS) // _BLOCK_MS


def _trc20_row(movement: Movement) -> dict[str, Any]:
    return {
        "transaction_id": movement.tx_hash,
        "token_info": {
            "symbol": movement.token,
            "address": movement.contract,
            "decimals": movement.decimals,
            "name": "Tether USD",
        },
        "block_timestamp": movement.at_ms,
        "from": movement.origin.address,
        "to": movement.target.address,
        "type": "Transfer",
        "value": str(movement.units),
    }

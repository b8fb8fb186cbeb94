"""Solana's RPC: signatures of an address, and transactions as balances before and after.

Shapes: https://solana.com/docs/rpc/http/getsignaturesforaddress and ``gettransaction``.
"""

from collections.abc import Mapping
from typing import Any, Final

from external_layers.replay.answer import Answer
from external_layers.replay.outside.addresses import address, hash_of
from external_layers.replay.outside.asked import Asked, Refused, unknown
from external_layers.replay.outside.movements import Movement, Movements
from external_layers.replay.outside.scene import Scene

_SLOT_MS: Final = 400
_MOST: Final = 1_000
_FEE: Final = 5_000  # lamports
_SPARE: Final = 3_000_000_000  # lamports that every account holds besides
_PROGRAM: Final = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"
_PARSE_ERROR, _INVALID, _NO_METHOD = -32_700, -32_602, -32_601
_MS_PER_S: Final = 1_000


class Solana:
    """The chain behind its JSON-RPC."""

    def __init__(self, scene: Scene, movements: Movements) -> None:
        self._scene = scene
        self._movements = movements

    def answer(self, asked: Asked) -> Answer:
        """Answer one call."""
        if asked.path not in ("", "/"):
            raise unknown(asked)
        if asked.method != "POST":
            raise Refused(405, {"error": "Used HTTP Method is not allowed. POST is required"})
        call = asked.json()
        if not isinstance(call, Mapping) or not isinstance(call.get("params"), list):
            return _failed(None, _PARSE_ERROR, "Parse error")
        params = call["params"]
        name = params[0] if params and isinstance(params[0], str) else ""
        options = params[1] if len(params) > 1 and isinstance(params[1], Mapping) else {}
        if not name:
            return _failed(call.get("id"), _INVALID, "Invalid params")
        if call.get("method") == "getSignaturesForAddress":
            result: Any = self._signatures(name, options)
        elif call.get("method") == "getTransaction":
            result = self._transaction(name)
        else:
            return _failed(call.get("id"), _NO_METHOD, "Method not found")
        return Answer({"jsonrpc": "2.0", "result": result, "id": call.get("id")})

    def _signatures(self, where: str, options: Mapping[str, Any]) -> list[dict[str, Any]]:
        rows = []
        for each in reversed(self._movements.recent("solana")):
            if each.tx_hash == options.get("until"):
                break
            if where in (each.origin.address, each.target.address):
                rows.append(
                    {
                        "signature": each.tx_hash,
                        "slot": each.at_ms // _SLOT_MS,
                        "err": None,
                        "memo": None,
                        "blockTime": each.at_ms // _MS_PER_S,
                        "confirmationStatus": "finalized",
                    }
                )
        limit = options.get("limit")
        return rows[: limit if isinstance(limit, int) and 0 < limit <= _MOST else _MOST]

    def _transaction(self, signature: str) -> dict[str, Any] | None:
        found = (each for each in self._movements.recent("solana") if each.tx_hash == signature)
        movement = next(found, None)
        return None if movement is None else self._row(movement)

    def _row(self, movement: Movement) -> dict[str, Any]:
        owners = (movement.origin.address, movement.target.address)
        keys = [*owners, *self._token_accounts(movement)]
        lamports = movement.units if not movement.contract else 0
        before = [_SPARE + lamports + _FEE, _SPARE, *(2_039_280 for _ in keys[2:])]
        after = [_SPARE, _SPARE + lamports, *(2_039_280 for _ in keys[2:])]
        meta = {
            "err": None,
            "fee": _FEE,
            "preBalances": before,
            "postBalances": after,
            "preTokenBalances": _balances(movement, (movement.units * 2, movement.units)),
            "postTokenBalances": _balances(movement, (movement.units, movement.units * 2)),
            "innerInstructions": [],
            "logMessages": [],
            "status": {"Ok": None},
        }
        message = {
            "accountKeys": [
                {"pubkey": key, "signer": place == 0, "writable": True, "source": "transaction"}
                for place, key in enumerate(keys)
            ],
            "instructions": [],
            "recentBlockhash": hash_of("solana", self._scene.seed, f"{movement.key}:block")[:44],
        }
        return {
            "slot": movement.at_ms // _SLOT_MS,
            "blockTime": movement.at_ms // _MS_PER_S,
            "version": 0,
            "meta": meta,
            "transaction": {"signatures": [movement.tx_hash], "message": message},
        }

    def _token_accounts(self, movement: Movement) -> list[str]:
        """Return the accounts that hold the token of the two owners; the coin needs none."""
        if not movement.contract:
            return []
        seed = self._scene.seed
        ends = (movement.origin, movement.target)
        return [address("solana", seed, f"token:{end.address}") for end in ends]


def _balances(movement: Movement, amounts: tuple[int, int]) -> list[dict[str, Any]]:
    if not movement.contract:
        return []
    owners = (movement.origin.address, movement.target.address)
    return [
        {
            "accountIndex": 2 + place,
            "mint": movement.contract,
            "owner": owner,
            "programId": _PROGRAM,
            "uiTokenAmount": {
                "amount": str(units),
                "decimals": movement.decimals,
                "uiAmount": units / 10**movement.decimals,
                "uiAmountString": f"{units / 10**movement.decimals:f}",
            },
        }
        for place, (owner, units) in enumerate(zip(owners, amounts, strict=True))
    ]


def _failed(id_: Any, code: int, message: str) -> Answer:
    return Answer({"jsonrpc": "2.0", "error": {"code": code, "message": message}, "id": id_})

"""mempool.space and Blockchain.com: the same Bitcoin transactions, by address and by block.

A block comes about every ten minutes of market time. A transfer is in the first block after it was
sent; until then only mempool.space shows it. Shapes: https://mempool.space/docs/api/rest and
https://www.blockchain.com/explorer/api/blockchain_api.
"""

import re
from typing import Any, Final

from external_layers.replay.answer import Answer
from external_layers.replay.outside.addresses import address, hash_of
from external_layers.replay.outside.asked import Asked, Refused, unknown
from external_layers.replay.outside.movements import TOLD_MS, Movement, Movements
from external_layers.replay.outside.scene import Scene
from external_layers.replay.outside.walks import unit

_EVERY_MS: Final = 600_000
_LATEST_MS: Final = 300_000  # by how much a block is late at most
_FIRST: Final = 2_030_000  # blocks of market time before the first one of the chain
_PAGE: Final = 25  # confirmed transactions of an address's answer
_FEE: Final = 12_000  # satoshis
_REWARD: Final = 312_500_000
_SMALL: Final = 20  # ordinary transactions of a block
_ADDRESS: Final = re.compile(r"/api/address/([A-Za-z0-9]+)/txs")
_BLOCK: Final = re.compile(r"/rawblock/([0-9a-f]{64})")
_MS_PER_S: Final = 1_000


class Bitcoin:
    """The chain."""

    def __init__(self, scene: Scene, movements: Movements) -> None:
        self._scene = scene
        self._movements = movements

    def mempool_space(self, asked: Asked) -> Answer:
        """Answer as mempool.space."""
        found = _ADDRESS.fullmatch(asked.path)
        if found is None:
            raise unknown(asked)
        ours = [
            each
            for each in reversed(self._movements.recent("bitcoin"))
            if found[1] in (each.origin.address, each.target.address)
        ]
        rows = [self._mempool_row(each) for each in ours]
        waiting = [row for row in rows if not row["status"]["confirmed"]]
        done = [row for row in rows if row["status"]["confirmed"]]
        return Answer([*waiting, *done[:_PAGE]])

    def blockchain_com(self, asked: Asked) -> Answer:
        """Answer as Blockchain.com."""
        if asked.path == "/latestblock":
            return Answer(self._latest())
        found = _BLOCK.fullmatch(asked.path)
        if found is None:
            raise unknown(asked)
        newest = self._newest()
        told = range(newest, newest - TOLD_MS // _EVERY_MS, -1)
        number = next((each for each in told if self._hash(each) == found[1]), None)
        if number is None:
            raise Refused(404, {"error": "not-found-or-invalid-arg", "message": "Block Not Found"})
        return Answer(self._block(number))

    # ---- blocks ----

    def _time_ms(self, number: int) -> int:
        """Return a block's wall time."""
        late_ms = round(unit(self._scene.seed, "block", number) * _LATEST_MS)
        return number * _EVERY_MS + late_ms - self._scene.shift_ms

    def _after(self, at_ms: int) -> int:
        """Return the first block after an instant."""
        number = (at_ms + self._scene.shift_ms) // _EVERY_MS
        while self._time_ms(number) <= at_ms:
            number += 1
        return number

    def _newest(self) -> int:
        return self._after(self._scene.now_ms) - 1

    def _hash(self, number: int) -> str:
        return f"{'0' * 20}{hash_of('bitcoin', self._scene.seed, f'block:{number}')[20:]}"

    def _latest(self) -> dict[str, Any]:
        number = self._newest()
        return {
            "hash": self._hash(number),
            "time": self._time_ms(number) // _MS_PER_S,
            "block_index": number - _FIRST,
            "height": number - _FIRST,
            "txIndexes": [],
        }

    def _block(self, number: int) -> dict[str, Any]:
        at_ms = self._time_ms(number)
        sent = self._movements.between(self._time_ms(number - 1), at_ms, "bitcoin")
        rows = [
            _reward_row(self._scene.seed, number),
            *(self._small_row(number, place) for place in range(_SMALL)),
            *(_raw_row(each, each.tx_hash) for each in sent),
        ]
        at_s = at_ms // _MS_PER_S
        return {
            "hash": self._hash(number),
            "ver": 536_870_912,
            "prev_block": self._hash(number - 1),
            "time": at_s,
            "bits": 386_000_000,
            "fee": _FEE * (len(rows) - 1),
            "nonce": number,
            "n_tx": len(rows),
            "size": 350 * len(rows),
            "block_index": number - _FIRST,
            "main_chain": True,
            "height": number - _FIRST,
            "tx": [row | {"time": at_s, "block_height": number - _FIRST} for row in rows],
        }

    def _small_row(self, number: int, place: int) -> dict[str, Any]:
        key, seed = f"small:{number}:{place}", self._scene.seed
        paid = round(unit(seed, "small", number, place) * 5e7) + 1_000
        outputs = [(address("bitcoin", seed, f"{key}:to"), paid)]
        spent = (address("bitcoin", seed, key), paid + _FEE)
        return _raw(hash_of("bitcoin", seed, key), spent, outputs)

    # ---- transactions ----

    def _mempool_row(self, movement: Movement) -> dict[str, Any]:
        spent, outputs = _coins(movement)
        number = self._after(movement.at_ms)
        status: dict[str, Any] = {"confirmed": False}
        if number <= self._newest():
            status = {
                "confirmed": True,
                "block_height": number - _FIRST,
                "block_hash": self._hash(number),
                "block_time": self._time_ms(number) // _MS_PER_S,
            }
        inputs = [
            {
                "txid": hash_of("bitcoin", self._scene.seed, f"{movement.key}:before"),
                "vout": 0,
                "prevout": _paid(*spent),
                "scriptsig": "",
                "is_coinbase": False,
                "sequence": 4_294_967_293,
            }
        ]
        return {
            "txid": movement.tx_hash,
            "version": 2,
            "locktime": 0,
            "vin": inputs,
            "vout": [_paid(*output) for output in outputs],
            "size": 222,
            "weight": 561,
            "fee": _FEE,
            "status": status,
        }


def _coins(movement: Movement) -> tuple[tuple[str, int], list[tuple[str, int]]]:
    """Return what is spent and what is paid: the target, and the change to where it came from."""
    spent = movement.units * 2 + _FEE
    outputs = [(movement.target.address, movement.units), (movement.origin.address, movement.units)]
    return (movement.origin.address, spent), outputs


def _paid(where: str, satoshis: int) -> dict[str, Any]:
    return {
        "scriptpubkey": "0014",
        "scriptpubkey_asm": "OP_0",
        "scriptpubkey_type": "v0_p2wpkh",
        "scriptpubkey_address": where,
        "value": satoshis,
    }


def _raw_row(movement: Movement, tx_hash: str) -> dict[str, Any]:
    return _raw(tx_hash, *_coins(movement))


def _raw(tx_hash: str, spent: tuple[str, int], outputs: list[tuple[str, int]]) -> dict[str, Any]:
    inputs = [{"sequence": 4_294_967_295, "index": 0, "prev_out": _raw_output(0, *spent)}]
    out = [_raw_output(place, *output) for place, output in enumerate(outputs)]
    return {
        "hash": tx_hash,
        "ver": 2,
        "vin_sz": 1,
        "vout_sz": len(out),
        "fee": _FEE,
        "inputs": inputs,
        "out": out,
    }


def _raw_output(place: int, where: str, satoshis: int) -> dict[str, Any]:
    return {"type": 0, "spent": False, "value": satoshis, "n": place, "script": "", "addr": where}


def _reward_row(seed: int, number: int) -> dict[str, Any]:
    row = _raw(
        hash_of("bitcoin", seed, f"reward:{number}"),
        ("", 0),
        [(address("bitcoin", seed, "miner"), _REWARD)],
    )
    return row | {"inputs": [{"sequence": 4_294_967_295, "prev_out": None, "script": "03"}]}

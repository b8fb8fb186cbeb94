"""Whale Alert's websocket: alerts as transfers are sent.

Shape: https://developer.whale-alert.io/documentation.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import orjson
from aiohttp import WSMsgType, web

from external_layers.replay.answer import Answer
from external_layers.replay.outside.asked import NOBODY_THERE, Asked, Refused, demand
from external_layers.replay.outside.movements import End, Movement, Movements
from external_layers.replay.outside.scene import Scene
from external_layers.replay.outside.spoiled import spoiled_body

_PATH: Final = "/whale_alert_stream/ws"
_NO_KEY: Final = {"error": "missing API key"}
_TURN_S: Final = 0.25
_CHANNEL: Final = "replay"
_LEAST_USD: Final = 100_000
_UNKNOWN: Final = "unknown wallet"
_MS_PER_S: Final = 1_000
_LOOKED_BACK_MS: Final = 300_000  # of what is told at once


class Alerts:
    """The service."""

    def __init__(self, scene: Scene, movements: Movements) -> None:
        self._scene = scene
        self._movements = movements

    def refuse(self, asked: Asked) -> Answer:
        """Refuse a request that is no websocket."""
        demand(asked.params.get("api_key", ""), _NO_KEY)
        raise Refused(426, {"error": "a websocket is wanted"})

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Serve one listener until it leaves; his first message names what he wants."""
        if not request.path.endswith(_PATH):
            return web.json_response({"error": NOBODY_THERE}, status=404)
        if not request.query.get("api_key"):
            return web.json_response(_NO_KEY, status=401)
        socket = web.WebSocketResponse(heartbeat=30.0)
        await socket.prepare(request)
        wanted = await _subscription(socket)
        if wanted is None:
            await self._say(socket, request.path, {"error": "no subscription"})
            await socket.close()
            return socket
        confirmed = {"type": "subscribed_alerts", "channel_id": _CHANNEL}
        await self._say(socket, request.path, {**wanted, **confirmed})
        reader = asyncio.create_task(_until_closed(socket))
        try:
            await self._tell(socket, request.path, _least(wanted), reader)
        except ConnectionError:
            pass  # he has left
        finally:
            reader.cancel()
        return socket

    async def _tell(
        self, socket: web.WebSocketResponse, path: str, least: float, reader: asyncio.Task[None]
    ) -> None:
        after_ms = self._scene.now_ms - _LOOKED_BACK_MS
        while not reader.done():
            stop_ms = self._scene.now_ms + 1
            for movement in self._movements.between(after_ms, stop_ms):
                if movement.usd >= least:
                    await self._say(socket, path, alert(movement))
            after_ms = stop_ms
            await asyncio.wait([reader], timeout=_TURN_S)

    async def _say(self, socket: web.WebSocketResponse, path: str, message: Any) -> None:
        body = orjson.dumps(message)
        rule = self._scene.script.spoiler(path)
        if rule is not None and rule.how == "slow":
            return
        if rule is not None:
            body = spoiled_body(body, rule)
        await socket.send_str(body.decode(errors="replace"))


def alert(movement: Movement) -> dict[str, Any]:
    """Return the alert that tells of a transfer."""
    token, amount = movement.token, movement.amount
    names = [end.exchange or _UNKNOWN for end in (movement.origin, movement.target)]
    sub = {
        "symbol": token,
        "unit_price_usd": movement.usd / amount,
        "transaction_type": "transfer",
        "inputs": [_entry(movement.origin, amount)],
        "outputs": [_entry(movement.target, amount)],
    }
    return {
        "channel_id": _CHANNEL,
        "timestamp": movement.at_ms // _MS_PER_S,
        "blockchain": movement.chain,
        "transaction_type": "transfer",
        "from": names[0],
        "to": names[1],
        "amounts": [{"symbol": token, "amount": amount, "value_usd": movement.usd}],
        "text": f"{amount:,.0f} {token} transferred from {names[0]} to {names[1]}",
        "transaction": {
            "height": movement.at_ms // 12_000,
            "index_in_block": 4,
            "timestamp": movement.at_ms // _MS_PER_S,
            "hash": movement.tx_hash,
            "fee": "0.001",
            "sub_transactions": [sub],
        },
    }


def _entry(end: End, amount: float) -> dict[str, Any]:
    found = {"amount": str(amount), "address": end.address, "balance": "", "locked": False}
    if end.exchange:
        found |= {"owner": end.exchange.lower(), "owner_type": "exchange"}
    return found


def _least(wanted: Mapping[str, Any]) -> float:
    least = wanted.get("min_value_usd")
    return float(least) if isinstance(least, int | float) else _LEAST_USD


async def _subscription(socket: web.WebSocketResponse) -> dict[str, Any] | None:
    first = await socket.receive()
    if first.type is not WSMsgType.TEXT:
        return None
    try:
        wanted = orjson.loads(first.data)
    except orjson.JSONDecodeError:
        return None
    is_wanted = isinstance(wanted, dict) and wanted.get("type") == "subscribe_alerts"
    return wanted if is_wanted else None


async def _until_closed(socket: web.WebSocketResponse) -> None:
    async for _ in socket:
        pass

"""What works and what does not: asked of a running sidecar, or tried out when none runs."""

import asyncio
import math
import os
import random
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import redis.asyncio
from aiohttp import ClientError, ClientSession, WSMsgType

from external_layers.binance.addresses import Addresses
from external_layers.binance.pacing import Timing
from external_layers.outside import RUNNER_FILE
from external_layers.run_config import TOKEN_VARIABLE, RunConfig
from external_layers.runner import Runner
from external_layers.source_health import source_report
from external_layers.sources.registry import SOURCES
from scalp_strategy.errors import SourceRejected

_TIMEOUT_S: Final = 5.0
_STREAM_S: Final = 10.0
_FAR_MS: Final = 1_000.0
_ASKED: Final = "BTC"  # the one token that sources are tried with
_REFUSED: Final = (401, 403)
_PROBES: Final[Mapping[str, str]] = {
    "public": "btcusdt@depth20@100ms",
    "market": "btcusdt@markPrice@1s",
    "all": "btcusdt@depth20@100ms",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: whether it is well, and what was seen or is to be done."""

    name: str
    is_well: bool
    text: str


def running_health(config: RunConfig) -> dict[str, Any] | None:
    """Return the health of the sidecar at the configured address, None when none answers.

    Raises
    ------
    SourceRejected
        When it does not take the token.
    """
    sidecar = config.settings.sidecar
    host = "127.0.0.1" if sidecar.host in ("0.0.0.0", "::") else sidecar.host  # noqa: S104
    headers = {"Authorization": f"Bearer {config.token}"} if config.token else {}
    url = f"http://{f'[{host}]' if ':' in host else host}:{sidecar.port}/v1/health"
    try:
        answer = httpx.get(url, headers=headers, timeout=_TIMEOUT_S, trust_env=False)
        body = answer.json()
    except (httpx.HTTPError, ValueError):
        return None
    if answer.status_code in _REFUSED:
        raise SourceRejected(f"{url} refuses: {TOKEN_VARIABLE} is not that of the sidecar there")
    return body if isinstance(body, dict) and "status" in body else None


def findings_of(health: Mapping[str, Any]) -> list[Finding]:
    """Return what a running sidecar says of itself."""
    found = [Finding("sidecar", health["status"] == "ok", f"runs: {health['status']}")]
    found += [Finding("problem", False, text) for text in health["problems"]]
    for kind, feed in health["feeds"].items():
        for connection in feed["connections"]:
            name = f"{kind} {connection['category']} #{connection['number']}"
            text = f"{connection['streams']} streams, {connection['reconnects']} reconnects"
            found.append(Finding(name, connection["since_ms"] is not None, text))
        for name, channel in feed["channels"].items():
            dropped = sum(channel["dropped"].values())
            lag = channel["lag_ms"]
            text = f"{channel['passed']} messages, {dropped} dropped"
            text += f", {lag:.0f} ms behind" if lag is not None else ""
            found.append(Finding(f"{kind} {name}", True, text))
    store = health["store"]
    text = f"{store['written_rows']} rows written, {store['waiting_rows']} waiting"
    found.append(Finding("archive", store["error"] is None, store["error"] or text))
    redis_texts = {None: "off: REDIS_URL is not set", True: "answers", False: "does not answer"}
    found.append(Finding("redis", store["redis"] is not False, redis_texts[store["redis"]]))
    found += [source_finding(name, each) for name, each in health["sources"].items()]
    return found


def source_finding(name: str, report: Mapping[str, Any]) -> Finding:
    """Return what is to be said of an outside source, from its part of the health document."""
    budget = ", ".join(
        f"{each['used']} of {each['limit']} calls in {_span_text(each['span_s'])}"
        for each in report["budget"]
    )
    lost = f"feeds {', '.join(report['feeds'])}"
    if report["lost_without"] > 0:
        lost += f", nobody else does: {report['lost_without']:.1%} of the evidence"
    if not report["is_on"]:
        return Finding(f"source {name}", True, f"{report['why_off']}; {lost}")
    age = report["age_s"]
    answered = "has not answered yet" if age is None else f"answered {_span_text(age)} ago"
    parts = [report["problem"] or "on", answered, budget, lost]
    return Finding(
        f"source {name}", report["problem"] is None, "; ".join(part for part in parts if part)
    )


def _span_text(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"


async def trial(config: RunConfig) -> list[Finding]:
    """Try out everything that a sidecar would need; nothing is changed but the calls counted."""
    async with ClientSession(trust_env=False) as session:
        markets = {config.exchange.kind: config.exchange}
        markets.setdefault("futures", config.derivatives)
        exchange = [
            finding for each in markets.values() for finding in await _exchange(session, each)
        ]
        sources = await _sources(config, session)
    rest = [await _redis(config.redis_url), _folder(config.data_dir), _token(config)]
    return [*exchange, *rest, *sources]


async def _sources(config: RunConfig, session: ClientSession) -> list[Finding]:
    """Ask every source that is on once, within its budget."""
    with tempfile.TemporaryDirectory() as nowhere:
        folder = config.data_dir if config.data_dir.is_dir() else Path(nowhere)
        price = await _btc_price(session, config.exchange)
        runner = _runner(config, session, folder / RUNNER_FILE, price)
        asked = [
            runner.once(name)
            for name, state in runner.states().items()
            if state.is_on and not state.spec.is_stream
        ]
        await asyncio.gather(*asked)
        await runner.stop()
    reports = source_report(runner.states(), config.settings, _wall_ms())
    return [source_finding(name, report) for name, report in reports.items()]


async def _btc_price(session: ClientSession, addresses: Addresses) -> float:
    """Return the last price of BTC, NaN when it cannot be had: sources of Bitcoin need it."""
    url = f"{addresses.rest}{addresses.prefix}/klines"
    params = {"symbol": "BTCUSDT", "interval": "1m", "limit": "1"}
    try:
        async with asyncio.timeout(_TIMEOUT_S), session.get(url, params=params) as answer:
            return float((await answer.json(content_type=None))[-1][4])
    except (ClientError, OSError, TimeoutError, ValueError, LookupError, TypeError):
        return math.nan


def _runner(config: RunConfig, session: ClientSession, memory: Path, btc_price: float) -> Runner:
    # A trial says what it finds at once: nothing is repeated.
    sources = config.settings.sources.model_copy(update={"retries": 0})
    return Runner(
        SOURCES,
        session,
        config.settings.model_copy(update={"sources": sources}),
        Timing(_wall_ms, time.monotonic, asyncio.sleep, random.random),
        memory,
        environment=config.source_keys,
        base_url=config.sources_url,
        market=lambda: ((_ASKED,), lambda name: btc_price if name == _ASKED else math.nan),
        deliver=lambda _spec, _facts: None,
        on_change=lambda _source, _problem: None,
    )


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


async def _exchange(session: ClientSession, addresses: Addresses) -> list[Finding]:
    streams = [
        _stream(session, addresses, category, url) for category, url in addresses.sockets.items()
    ]
    return list(await asyncio.gather(_clock(session, addresses), *streams))


async def _clock(session: ClientSession, addresses: Addresses) -> Finding:
    name = f"{addresses.kind} REST"
    url = f"{addresses.rest}{addresses.prefix}/time"
    try:
        async with asyncio.timeout(_TIMEOUT_S), session.get(url) as answer:
            server_ms = int((await answer.json(content_type=None))["serverTime"])
    except (ClientError, OSError, TimeoutError, ValueError, KeyError, TypeError) as error:
        return Finding(name, False, f"{addresses.rest}: {type(error).__name__}: {error}")
    skew = time.time() * 1_000 - server_ms
    text = f"{addresses.rest} answers; this machine's clock is {skew:+.0f} ms off"
    return Finding(name, abs(skew) < _FAR_MS, text)


async def _stream(session: ClientSession, addresses: Addresses, category: str, url: str) -> Finding:
    name = f"{addresses.kind} stream {category}"
    stream = _PROBES[category]
    try:
        async with (
            asyncio.timeout(_STREAM_S),
            session.ws_connect(f"{url}?streams={stream}") as websocket,
        ):
            message = await websocket.receive()
    except TimeoutError:
        return Finding(name, False, f"{url}: connected, but {stream} is silent")
    except (ClientError, OSError) as error:
        return Finding(name, False, f"{url}: {type(error).__name__}: {error}")
    is_text = message.type is WSMsgType.TEXT
    return Finding(name, is_text, f"{url}: {stream} {'speaks' if is_text else 'was closed'}")


async def _redis(url: str | None) -> Finding:
    if url is None:
        return Finding("redis", True, "off: REDIS_URL is not set; scores go over HTTP only")
    try:
        client = redis.asyncio.Redis.from_url(url, socket_connect_timeout=_TIMEOUT_S)
        await client.ping()
        await client.aclose()
    except (redis.RedisError, OSError, ValueError) as error:
        return Finding("redis", False, f"REDIS_URL: {type(error).__name__}")
    return Finding("redis", True, "answers")


def _folder(folder: Path) -> Finding:
    place = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        return Finding("archive", False, f"{place} cannot be written: {error.strerror}")
    free_gb = os.statvfs(place).f_bavail * os.statvfs(place).f_frsize / 1e9
    return Finding("archive", True, f"{folder}: can be written, {free_gb:.1f} GB free")


def _token(config: RunConfig) -> Finding:
    host = config.settings.sidecar.host
    who = "whoever has the token" if config.token else "this machine only"
    return Finding("access", True, f"{host}:{config.settings.sidecar.port}, open to {who}")

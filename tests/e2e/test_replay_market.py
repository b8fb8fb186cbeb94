"""The replay market as a process: ccxt, websockets, Freqtrade and faults over loopback."""

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import ccxt
import ccxt.pro
import httpx
import pytest

from external_layers.replay.overlay import overlay
from tests.support.market import running_market

FREQTRADE = Path(sys.executable).with_name("freqtrade")
DEADLINE_S = 20.0


@pytest.fixture
def clean_market(replay_market: str) -> Iterator[str]:
    """The shared market, without faults and counts before and after."""
    httpx.post(f"{replay_market}/control/reset")
    yield replay_market
    httpx.post(f"{replay_market}/control/reset")


def settings_for(url: str, kind: str) -> dict[str, Any]:
    config = overlay(url)["exchange"]["ccxt_config"]
    return {**config, "options": {**config["options"], "defaultType": kind}}


@pytest.mark.parametrize(("kind", "symbol"), [("spot", "ETH/USDT"), ("swap", "ETH/USDT:USDT")])
def test_ccxt_reads_the_market(clean_market: str, kind: str, symbol: str) -> None:
    exchange = ccxt.binance(settings_for(clean_market, kind))
    market = exchange.load_markets()[symbol]
    assert market["active"]
    assert market["spot"] == (kind == "spot")
    assert market["limits"]["cost"]["min"] == 5
    candles = exchange.fetch_ohlcv(symbol, "15m", limit=20)
    assert len(candles) == 20
    assert candles[-1][0] + 900_000 > time.time() * 1_000
    book = exchange.fetch_order_book(symbol, 50)
    assert len(book["bids"]) == len(book["asks"]) == 50
    assert book["bids"][0][0] < book["asks"][0][0]
    assert candles[-1][3] * 0.98 < book["bids"][0][0] < candles[-1][2] * 1.02
    trades = exchange.fetch_trades(symbol, limit=50)
    assert {trade["side"] for trade in trades} == {"buy", "sell"}
    assert exchange.fetch_ticker(symbol)["quoteVolume"] > 1e6


def test_ccxt_reads_futures_data(clean_market: str) -> None:
    exchange = ccxt.binance(settings_for(clean_market, "swap"))
    symbol = "BTC/USDT:USDT"
    funding = exchange.fetch_funding_rate_history(symbol, limit=10)
    assert len(funding) == 10
    assert all(abs(row["fundingRate"]) < 0.003 for row in funding)
    interest = exchange.fetch_open_interest_history(symbol, "5m", limit=10)
    assert all(row["openInterestAmount"] > 0 for row in interest)
    marks = exchange.fetch_mark_ohlcv(symbol, "1h", limit=5)
    assert len(marks) == 5
    assert exchange.fetch_funding_rate(symbol)["markPrice"] == pytest.approx(marks[-1][4], rel=0.02)


def test_ccxt_raises_its_own_errors(clean_market: str) -> None:
    exchange = ccxt.binance(settings_for(clean_market, "swap"))
    exchange.load_markets()
    rule = {"path": "/fapi/v1/depth", "status": 429, "count": 1, "retry_after": 3}
    httpx.post(f"{clean_market}/control/errors", json=rule)
    with pytest.raises(ccxt.DDoSProtection):
        exchange.fetch_order_book("BTC/USDT:USDT", 5)
    assert exchange.fetch_order_book("BTC/USDT:USDT", 5)["bids"]


@pytest.mark.parametrize(("kind", "symbol"), [("spot", "BTC/USDT"), ("swap", "BTC/USDT:USDT")])
def test_ccxt_pro_watches(clean_market: str, kind: str, symbol: str) -> None:
    async def watched() -> tuple[Any, Any, Any]:
        exchange = ccxt.pro.binance(settings_for(clean_market, kind))
        try:
            candles = await exchange.watch_ohlcv(symbol, "15m")
            for _ in range(3):
                book = await exchange.watch_order_book(symbol)
            return candles, (book["bids"][0], book["asks"][0]), await exchange.watch_trades(symbol)
        finally:
            await exchange.close()

    candles, (bid, ask), trades = asyncio.run(asyncio.wait_for(watched(), DEADLINE_S))
    assert bid[0] < ask[0]
    assert trades[-1]["price"] == pytest.approx(candles[-1][4], rel=0.01)


async def frames(url: str, count: int, within_s: float = DEADLINE_S) -> list[Any]:
    """Return the first frames of a websocket, fewer when the time is over."""
    seen: list[Any] = []
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
        try:
            async with asyncio.timeout(within_s):
                async for message in socket:
                    seen.append(json.loads(message.data))
                    if len(seen) == count:
                        break
        except TimeoutError:
            pass
    return seen


def socket_url(market: str, path: str) -> str:
    return market.replace("http", "ws", 1) + path


@pytest.mark.parametrize("prefix", ["/fstream", ""])
def test_futures_addresses_are_split(clean_market: str, prefix: str) -> None:
    names = "btcusdt@aggTrade/btcusdt@bookTicker/btcusdt@depth@100ms/btcusdt@kline_1m"

    async def both() -> list[list[Any]]:
        paths = (f"{prefix}/public/stream?streams=", f"{prefix}/market/stream?streams=")
        urls = [socket_url(clean_market, path + names) for path in paths]
        return list(await asyncio.gather(*(frames(url, 12) for url in urls)))

    public, market = asyncio.run(both())
    assert {each["data"]["e"] for each in public} <= {"depthUpdate", "bookTicker"}
    assert {each["data"]["e"] for each in market} == {"aggTrade", "kline"}
    assert all(each["stream"].startswith("btcusdt@") for each in public + market)


def test_the_old_futures_address_connects_and_stays_silent(clean_market: str) -> None:
    old = socket_url(clean_market, "/fstream/ws/btcusdt@aggTrade")
    new = socket_url(clean_market, "/fstream/market/ws/btcusdt@aggTrade")

    async def both() -> tuple[list[Any], list[Any]]:
        loud = asyncio.create_task(frames(new, 2))
        silent = asyncio.create_task(frames(old, 1, within_s=2.0))
        return await loud, await silent

    loud, silent = asyncio.run(both())
    assert [frame["e"] for frame in loud] == ["aggTrade"] * 2
    assert silent == []


def test_subscribe_messages(clean_market: str) -> None:
    async def talk() -> list[Any]:
        url = socket_url(clean_market, "/stream/ws/0")
        async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
            request = {"method": "SUBSCRIBE", "params": ["btcusdt@kline_15m"], "id": 3}
            await socket.send_json(request)
            return [await socket.receive_json(timeout=DEADLINE_S) for _ in range(2)]

    reply, push = asyncio.run(talk())
    assert reply == {"result": None, "id": 3}
    assert (push["e"], push["k"]["i"], push["k"]["x"]) == ("kline", "15m", False)


async def fell_silent(socket: aiohttp.ClientWebSocketResponse) -> bool:
    """Return whether a second passes without a frame, once what was under way has arrived."""
    for _ in range(50):
        try:
            await socket.receive(timeout=1.0)
        except TimeoutError:
            return True
    return False


def test_stream_faults(clean_market: str) -> None:
    async def spoiled() -> tuple[str, bool, Any]:
        url = socket_url(clean_market, "/market/ws/btcusdt@kline_1m")
        async with (
            aiohttp.ClientSession() as session,
            httpx.AsyncClient(base_url=clean_market) as control,
            session.ws_connect(url) as socket,
        ):
            await socket.receive(timeout=DEADLINE_S)
            await control.post("/control/malformed", json={"stream": "kline", "count": 1})
            texts = [(await socket.receive(timeout=DEADLINE_S)).data for _ in range(6)]
            garbage = next(text for text in texts if not text.endswith("}"))
            await control.post("/control/silence", json={"stream": "kline", "seconds": 60})
            quiet = await fell_silent(socket)
            dropped = (await control.post("/control/disconnect")).json()["disconnected"]
            assert dropped >= 1
            last = await socket.receive(timeout=DEADLINE_S)
            return garbage, quiet, last.type

    garbage, quiet, last = asyncio.run(spoiled())
    with pytest.raises(json.JSONDecodeError):
        json.loads(garbage)
    assert quiet
    assert last in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.ERROR)


def test_counts_delays_and_state(clean_market: str) -> None:
    httpx.get(f"{clean_market}/api/v3/time")
    counts = httpx.get(f"{clean_market}/control/requests").json()
    assert counts["requests"] == {"/api/v3/time": 1}
    httpx.post(f"{clean_market}/control/delay", json={"path": "/api/v3/time", "seconds": 30})
    with pytest.raises(httpx.ReadTimeout):
        httpx.get(f"{clean_market}/api/v3/time", timeout=0.5)
    assert httpx.get(f"{clean_market}/api/v3/ping", timeout=5).json() == {}
    assert httpx.get(f"{clean_market}/control/state").json()["delays"][0]["seconds"] == 30
    assert httpx.post(f"{clean_market}/control/move", json={"symbol": "X"}).status_code == 400
    assert httpx.post(f"{clean_market}/control/move", content="{").status_code == 400


def freqtrade(url: str, folder: Path, *arguments: str) -> str:
    base = {
        "stake_currency": "USDT", "dry_run": True, "timeframe": "15m",
        "trading_mode": "futures", "margin_mode": "isolated",
        "exchange": {"name": "binance", "pair_whitelist": ["BTC/USDT:USDT", "SOL/USDT:USDT"]},
        "entry_pricing": {"use_order_book": True}, "exit_pricing": {"use_order_book": True},
        "pairlists": [{"method": "StaticPairList"}],
    }  # fmt: skip
    (folder / "base.json").write_text(json.dumps(base))
    (folder / "replay.json").write_text(json.dumps(overlay(url)))
    configs = ["--config", str(folder / "base.json"), "--config", str(folder / "replay.json")]
    run = subprocess.run(
        [FREQTRADE, *arguments, "--userdir", str(folder), *configs],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr[-2_000:]
    return run.stdout


def test_freqtrade_lists_pairs(clean_market: str, tmp_path: Path) -> None:
    pairs = json.loads(freqtrade(clean_market, tmp_path, "list-pairs", "--print-json"))
    assert {"BTC/USDT:USDT", "SOL/USDT:USDT", "XRP/USDT:USDT"} <= set(pairs)
    assert len(pairs) >= 35


def test_freqtrade_downloads_data(clean_market: str, tmp_path: Path) -> None:
    pd = pytest.importorskip("pandas")
    freqtrade(clean_market, tmp_path, "download-data", "--days", "3", "-t", "5m", "15m")
    folder = tmp_path / "data" / "binance" / "futures"
    for base in ("BTC", "SOL"):
        fast = pd.read_feather(folder / f"{base}_USDT_USDT-5m-futures.feather").set_index("date")
        slow = pd.read_feather(folder / f"{base}_USDT_USDT-15m-futures.feather").set_index("date")
        assert len(slow) > 280
        assert (slow.index.to_series().diff().dropna() == pd.Timedelta("15min")).all()
        whole = fast.resample("15min").agg({"high": "max", "low": "min", "close": "last"})
        common = slow.index.intersection(whole.index)[:-2]
        for column in ("high", "low", "close"):
            assert (slow.loc[common, column] == whole.loc[common, column]).all()
        assert (folder / f"{base}_USDT_USDT-1h-mark.feather").exists()
        assert (folder / f"{base}_USDT_USDT-1h-funding_rate.feather").exists()


def command(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "external_layers.cli", "market", *options],
        capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip


def test_clear_errors(replay_market: str, tmp_path: Path) -> None:
    port = replay_market.rsplit(":", 1)[1]
    for options, reason in (
        (("--port", port), "in use"),
        (("--host", "0.0.0.0"), "--allow-remote"),  # noqa: S104
        (("--data", str(tmp_path)), "BTC_USDT-5m.feather"),
        (("--symbols", "NOPE"), "NOPEUSDT"),
        (("--shift-days", "90000"), "no candles"),
    ):
        run = command("--port", "0", *options)
        assert run.returncode == 2
        assert reason in run.stderr
        assert "Traceback" not in run.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_a_socket_open(tmp_path: Path, number: signal.Signals) -> None:
    ready, config = tmp_path / "url", tmp_path / "replay.json"
    process = subprocess.Popen(
        [sys.executable, "-m", "external_layers.cli", "market", "--port", "0", "--symbols", "BTC",
         "--ready-file", str(ready), "--write-config", str(config)],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    with process.stdout:
        line = process.stdout.readline()
        url = ready.read_text().strip()
        assert url in line
        assert json.loads(config.read_text()) == overlay(url)

        async def stopped() -> int:
            stream = socket_url(url, "/ws/btcusdt@aggTrade")
            async with aiohttp.ClientSession() as session, session.ws_connect(stream):
                process.send_signal(number)
                return await asyncio.to_thread(process.wait, DEADLINE_S)

        assert asyncio.run(stopped()) == 0


def test_two_processes_serve_the_same_market(replay_market: str) -> None:
    query = {"symbol": "SOLUSDT", "interval": "1m", "limit": "300", "endTime": "1790000000000"}
    with running_market("--seed", "7", "--symbols", "SOL") as other:
        one = httpx.get(f"{replay_market}/fapi/v1/klines", params=query).json()
        two = httpx.get(f"{other}/fapi/v1/klines", params=query).json()
    assert one == two
    assert len(one) == 300

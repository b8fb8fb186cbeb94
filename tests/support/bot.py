"""The real Freqtrade in dry-run against a replay market, driven over its own REST API.

Also the search for a stretch of the generated market in which a signal comes at once.
"""

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx
from pandas import DataFrame, concat, to_datetime
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from external_layers.replay.overlay import overlay
from scalp_strategy.confluence import confluence
from scalp_strategy.contract import Side
from scalp_strategy.entries import entry_columns, stop_columns
from scalp_strategy.settings import Settings, load_settings, with_overrides
from scalp_strategy.technical import lookback, technical_layer
from tests.support.sections import CHART_WEIGHTS
from tests.support.shifted import SharedClock, on_clock

PROJECT: Final = Path(__file__).parents[2]
CANDLE: Final = timedelta(minutes=15)
TOPICS: Final = ("strategy_msg", "entry", "entry_fill", "exit", "exit_fill", "exit_cancel")
_POLL_S: Final = 0.1
_START_S: Final = 60.0
_STOP_S: Final = 30.0
_ANSWER_S: Final = 20.0
_SEARCH_DAYS: Final = 120
_SCORE_MARGIN: Final = 2.0
_ENOUGH_TIME: Final = timedelta(seconds=20)
_DEPTH_ROWS: Final = 5
_SHOWN_ROWS: Final = 10
# The replayed market feeds the technical layer alone: with more weight it makes a tier by itself,
# often enough for a test; everything after the score is as shipped.
SECTION: Final[dict[str, Any]] = {"confluence": {"weights": CHART_WEIGHTS}}
_LOWER_ROWS: Final = 400
_MAX_ROWS: Final = 1_000

Value = TypeVar("Value")


def until(
    wanted: Callable[[], Value | None], what: str, within_s: float = _ANSWER_S, *context: Any
) -> Value:
    """Poll until something true is returned and return it; fail when the time is over."""
    deadline = time.monotonic() + within_s
    while True:
        if found := wanted():
            return found
        if time.monotonic() > deadline:
            raise AssertionError(
                f"not within {within_s:g} s: {what}. {' '.join(map(str, context))}"
            )
        time.sleep(_POLL_S)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# ------------------------------------------------------------------------------------- the market


class MarketControl:
    """Prices, moves, faults and candles of a running replay market.

    Parameters
    ----------
    url
        The market's base URL.
    mode
        `futures` or `spot`: whose candles and books are read.
    transport
        The way to the market; None = the network.
    """

    def __init__(
        self, url: str, mode: str = "futures", transport: httpx.BaseTransport | None = None
    ) -> None:
        self.url = url
        self._api = "/api/v3" if mode == "spot" else "/fapi/v1"
        self._client = httpx.Client(
            base_url=url, timeout=_ANSWER_S, trust_env=False, transport=transport
        )

    def control(self, name: str, **body: Any) -> dict[str, Any]:
        """Ask for a fault, a move, a shift or a reset; return the market's state."""
        answer = self._client.post(f"/control/{name}", json=body)
        answer.raise_for_status()
        return dict(answer.json())

    def state(self) -> dict[str, Any]:
        return dict(self._client.get("/control/state").json())

    def requests(self) -> dict[str, dict[str, int]]:
        return dict(self._client.get("/control/requests").json())

    def price(self, pair: str) -> float:
        query: dict[str, Any] = {"symbol": symbol_of(pair), "limit": _DEPTH_ROWS}
        book = self._client.get(f"{self._api}/depth", params=query).json()
        return (float(book["bids"][0][0]) + float(book["asks"][0][0])) / 2

    def move_to(self, pair: str, price: float) -> None:
        self.control("move", symbol=symbol_of(pair), factor=price / self.price(pair))

    def candles(self, pair: str, timeframe: str, count: int) -> DataFrame:
        """Return a pair's last closed candles in the host's columns."""
        query: dict[str, Any] = {"symbol": symbol_of(pair), "interval": timeframe}
        rows: list[list[Any]] = []
        while len(rows) <= count:
            query["limit"] = min(_MAX_ROWS, count + 1 - len(rows))
            rows = [*self._client.get(f"{self._api}/klines", params=query).json(), *rows]
            query["endTime"] = rows[0][0] - 1
        columns = ["date", "open", "high", "low", "close", "volume"]
        frame = DataFrame([row[: len(columns)] for row in rows[:-1]], columns=columns)
        frame["date"] = to_datetime(frame["date"].astype("int64"), unit="ms", utc=True)
        return frame.astype(dict.fromkeys(columns[1:], "float64"))


def symbol_of(pair: str) -> str:
    return pair.split("/", maxsplit=1)[0] + "USDT"


@dataclass(frozen=True, slots=True)
class Signal:
    """What the bot will see: a pair, a side, the candle's close and its price."""

    pair: str
    side: Side
    close: datetime
    price: float


def show_signal(market: MarketControl, pairs: list[str], side: Side) -> Signal:
    """Shift the market to a stretch in which the candle that closed last gives an entry.

    With the next close so near that a bot might miss the candle, that close is waited for.
    """
    following = last_close() + CANDLE
    left = following - datetime.now(UTC)
    if left < _ENOUGH_TIME:
        until(lambda: last_close() == following, "the candle closes", left.total_seconds() + 5)
    for days in range(_SEARCH_DAYS):
        market.control("shift", days=-days)
        for pair in pairs:
            if price := _entry_price(market, pair, side, last_close()):
                return Signal(pair, side, last_close(), price)
    raise AssertionError(f"no {side} in {_SEARCH_DAYS} days of the market")


def last_close() -> datetime:
    now = datetime.now(UTC)
    return now.replace(minute=now.minute // 15 * 15, second=0, microsecond=0)


def _entry_price(market: MarketControl, pair: str, side: Side, close: datetime) -> float | None:
    settings = load_settings({"scalp": SECTION})
    # What a setup's past, which the search does not know, may take of the bot's score.
    threshold = settings.confluence.medium_threshold + _SCORE_MARGIN
    settings = with_overrides(settings, {"confluence.medium_threshold": threshold})
    last = scored(market, pair, settings).iloc[-1]
    is_entry = last["date"] == close - CANDLE and last[f"enter_{side}"]
    return float(last["close"]) if is_entry else None


def scored(
    market: MarketControl,
    pair: str,
    settings: Settings,
    evidence: Mapping[str, float] | None = None,
) -> DataFrame:
    """Return a pair's last candles with scores and entries, as the strategy would mark them.

    `evidence` are columns of other layers, alike in every row; without it those are silent.
    """
    rows = {"15m": lookback(settings) + 10, "5m": _LOWER_ROWS, "1m": _LOWER_ROWS}
    frames = {timeframe: market.candles(pair, timeframe, rows[timeframe]) for timeframe in rows}
    frame = frames["15m"]
    layer = technical_layer(frame, frames["5m"], frames["1m"], settings)
    frame = concat([frame, layer], axis=1).assign(**dict(evidence or {}))
    frame = concat([frame, DataFrame(stop_columns(frame, settings), index=frame.index)], axis=1)
    frame = concat([frame, confluence(frame, settings)], axis=1)
    return concat([frame, entry_columns(frame, settings, can_short=True)], axis=1)


# ---------------------------------------------------------------------------------------- the bot


@dataclass
class PaperBot:
    """`freqtrade trade` with the project's own configs, its API and its messages.

    `folder` becomes its user directory: database, account state, log. `environment` adds variables,
    such as settings of the engine. `messages` is the stream so far, over all its runs. `config` is
    laid over the test's own overlay.
    """

    folder: Path
    market_url: str
    pairs: list[str]
    mode: str = "futures"
    environment: dict[str, str] = field(default_factory=dict)
    messages: list[dict[str, Any]] = field(default_factory=list)
    config: dict[str, Any] = field(default_factory=dict)
    clock: SharedClock | None = None

    def __post_init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._listener: threading.Thread | None = None
        self._port = free_port()
        self._token = secrets.token_urlsafe(16)
        password = secrets.token_urlsafe(16)
        self._secrets = {
            "FREQTRADE__API_SERVER__USERNAME": "test",
            "FREQTRADE__API_SERVER__PASSWORD": password,
            "FREQTRADE__API_SERVER__WS_TOKEN": self._token,
            "FREQTRADE__API_SERVER__JWT_SECRET_KEY": secrets.token_urlsafe(32),
        }
        self._client = httpx.Client(
            base_url=f"http://127.0.0.1:{self._port}/api/v1",
            auth=("test", password), timeout=_ANSWER_S, trust_env=False,
        )  # fmt: skip
        make_user_folder(self.folder)
        (self.folder / "replay.json").write_text(json.dumps(overlay(self.market_url)))
        (self.folder / "test.json").write_text(json.dumps(self._overlay()))

    # ---- its life ----

    def boot(self) -> None:
        """Start the program and wait for its API; it does not trade before `trade`."""
        with self.log_path.open("ab") as output:
            self._process = subprocess.Popen(
                self._command(), stdout=output, stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL, env=self._variables(), start_new_session=True,
            )  # fmt: skip
        self._await_api()

    def trade(self) -> None:
        self.post("/start")

    def reload(self) -> None:
        """Let it build itself anew inside the same process; it does not trade before `trade`."""
        self.post("/reload_config")
        self._await_api()

    def show(self, market: MarketControl, side: Side) -> Signal:
        """Bring a signal before the booted bot, at the very price of its candle, and let it trade.

        Everything that was on in the market before is taken back.
        """
        market.control("reset")
        signal_ = show_signal(market, self.pairs, side)
        market.move_to(signal_.pair, signal_.price)
        self.trade()
        return signal_

    def terminate(self) -> int:
        """End it the polite way and return its exit status."""
        return self._end(signal.SIGTERM)

    def kill(self) -> int:
        """End it without a word (SIGKILL)."""
        return self._end(signal.SIGKILL)

    def close(self) -> None:
        if self._process is not None:
            self.kill()
        self._client.close()

    # ---- its API ----

    def get(self, path: str, **query: Any) -> Any:
        answer = self._client.get(path, params=query)
        answer.raise_for_status()
        return answer.json()

    def post(self, path: str, **body: Any) -> Any:
        answer = self._client.post(path, json=body)
        assert answer.is_success, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    def open_trade(self, pair: str) -> dict[str, Any] | None:
        """Return a pair's open trade with its orders."""
        return next((trade for trade in self.get("/status") if trade["pair"] == pair), None)

    def closed_trade(self, pair: str) -> dict[str, Any] | None:
        """Return a pair's last closed trade with its orders."""
        closed = [trade for trade in self.get("/trades")["trades"] if not trade["is_open"]]
        return next((trade for trade in reversed(closed) if trade["pair"] == pair), None)

    def kept(self, trade_id: int) -> dict[str, Any]:
        """Return what the strategy keeps with a trade."""
        found = self.get(f"/trades/{trade_id}/custom-data")
        return {entry["key"]: entry["value"] for entry in found[0]["custom_data"]}

    def analysed(self, pair: str) -> dict[str, Any]:
        """Return the columns of a pair's last analysed candle, empty before the first."""
        answer = self.get("/pair_candles", pair=pair, timeframe="15m", limit=1)
        rows = answer.get("data") or []
        return dict(zip(answer["columns"], rows[-1], strict=True)) if rows else {}

    def candle(self, pair: str, close: datetime) -> dict[str, Any]:
        """Return the columns of the candle of a pair that closed then, empty until analysed."""
        answer = self.get("/pair_candles", pair=pair, timeframe="15m", limit=_SHOWN_ROWS)
        opened_ms = (close - CANDLE).timestamp() * 1_000
        for row in answer.get("data") or []:
            columns = dict(zip(answer["columns"], row, strict=True))
            if columns["__date_ts"] == opened_ms:
                return columns
        return {}

    def loops(self) -> int:
        """Return the instant of the last finished loop, in seconds."""
        return int(self.get("/health")["last_process_ts"] or 0)

    def wait_for_loops(self, count: int) -> None:
        """Wait until the bot has gone through its loop some more times."""
        for _ in range(count):
            before = self.loops()
            until(lambda before=before: self.loops() > before, "the bot goes on")  # type: ignore[misc]

    def messages_of(self, kind: str, pair: str) -> list[dict[str, Any]]:
        """Return the messages of a kind that name a pair."""
        return [
            message
            for message in list(self.messages)
            if message["type"] == kind and pair in (message.get("pair") or message.get("msg", ""))
        ]

    @property
    def log_path(self) -> Path:
        return self.folder / "bot.log"

    @property
    def state_path(self) -> Path:
        """Where the engine keeps the account's state."""
        return self.folder / "scalp" / f"account-scalp-dry-run-{self.mode}.json"

    def state(self) -> dict[str, Any]:
        """Return the account's state, empty before the first."""
        return dict(json.loads(self.state_path.read_text())) if self.state_path.is_file() else {}

    # ---- how ----

    def _overlay(self) -> dict[str, Any]:
        return {
            "initial_state": "stopped",
            "force_entry_enable": True,
            "db_url": f"sqlite:///{self.folder / 'trades.sqlite'}",
            "api_server": {"listen_port": self._port},
            "internals": {"process_throttle_secs": 1},
            "exchange": {"pair_whitelist": self.pairs},
            "scalp": SECTION,
        } | self.config

    def _command(self) -> list[str]:
        shipped = [PROJECT / "config" / f"{name}.json" for name in ("base", self.mode, "dry-run")]
        own = [self.folder / "replay.json", self.folder / "test.json"]
        configs = [word for path in (*shipped, *own) for word in ("-c", str(path))]
        program = [beside_python("freqtrade"), "trade", "--userdir", str(self.folder), *configs]
        return on_clock(self.clock, program)

    def _variables(self) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("FREQTRADE_")}
        return kept | self._secrets | self.environment

    def _await_api(self) -> None:
        until(self._is_stopped, "the bot's API answers", _START_S, self.log_path)
        is_listening = threading.Event()
        self._listener = threading.Thread(target=self._listen, args=(is_listening,), daemon=True)
        self._listener.start()
        assert is_listening.wait(_ANSWER_S), "the bot's message stream does not open"

    def _is_stopped(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"the bot ended: {self.log_path.read_text()[-3000:]}"
        try:
            return bool(self.get("/show_config")["state"] == "stopped")
        except httpx.HTTPError:
            return False

    def _listen(self, is_listening: threading.Event) -> None:
        address = f"ws://127.0.0.1:{self._port}/api/v1/message/ws?token={self._token}"
        try:
            with connect(address, proxy=None) as stream:
                stream.send(json.dumps({"type": "subscribe", "data": TOPICS}))
                is_listening.set()
                for text in stream:
                    self.messages.append(json.loads(text))
        except WebSocketException:
            return

    def _end(self, number: signal.Signals) -> int:
        assert self._process is not None
        if self._process.poll() is None:
            os.killpg(self._process.pid, number)
        status = self._process.wait(_STOP_S)
        self._process = None
        if self._listener is not None:
            self._listener.join(_STOP_S)
        return status


def make_user_folder(folder: Path) -> None:
    """Make a user directory with the project's strategy in it."""
    (folder / "strategies").mkdir(parents=True)
    shutil.copy(PROJECT / "user_data" / "strategies" / "ScalpStrategy.py", folder / "strategies")


def beside_python(program: str) -> str:
    return str(Path(sys.executable).with_name(program))

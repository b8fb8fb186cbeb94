"""The demo's course: market, search, backtest, report, paper trading."""

import json
import secrets
import shutil
import socket
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx
from rich.console import Console
from rich.table import Table

from scalp_strategy.contract import TIER_NAMES
from scalp_strategy.demo.bot import Bot, BotAddress, messages
from scalp_strategy.demo.processes import Processes, program
from scalp_strategy.demo.search import Market, Stretch, find_stretch
from scalp_strategy.errors import ConfigError, SourceUnavailable
from scalp_strategy.exits import candle_open

_BACKTEST_DAYS: Final = 3
_HISTORY_DAYS: Final = 16
_LOWER_HISTORY_DAYS: Final = 5
_SEARCH_DAYS: Final = 200
_READY_S: Final = 60.0
_BACKTEST_S: Final = 100.0  # about how long it takes until the paper trader sees its first candle
_NEXT_CLOSE_S: Final = 210.0  # a close nearer than this is waited for, else the last one is used
_ONCE_S: Final = 300.0
_CONFIG_ERROR: Final = "Configuration error"
_ORDER_WORDS: Final = {
    "entry": "entry ordered",
    "entry_fill": "entry filled",
    "entry_cancel": "entry cancelled",
    "exit": "exit ordered",
    "exit_fill": "exit filled",
    "exit_cancel": "exit cancelled",
}
_MESSAGE_S: Final = 1.0
_CANDLE: Final = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What the command line chooses.

    Attributes
    ----------
    once
        End after the first signal and its paper trade.
    seed
        Seed of the generated market.
    root
        The project's folder, with `config/` and `user_data/`.
    """

    once: bool
    seed: int
    root: Path


def run_demo(options: DemoOptions, console: Console) -> None:
    """Run the demo until Ctrl-C, or once.

    Raises
    ------
    SourceUnavailable
        When a program fails, or in `once` mode no trade was opened in five minutes.
    ConfigError
        When the project's configs are not where they should be.
    """
    demo = _Demo(options, console)
    with Processes(demo.folder) as processes:
        demo.play(processes)


class _Demo:
    def __init__(self, options: DemoOptions, console: Console) -> None:
        self._options = options
        self._console = console
        self._began = time.monotonic()
        self._config = options.root / "config"
        if not (self._config / "base.json").is_file():
            raise ConfigError(f"{self._config}/base.json is missing; run from the project's folder")
        self.folder = options.root / "user_data" / "demo"
        self._fresh_folder()
        self._bot_address = BotAddress(
            _free_port(), "demo", secrets.token_urlsafe(16), secrets.token_urlsafe(16)
        )
        self._secrets = {
            "FREQTRADE__API_SERVER__USERNAME": self._bot_address.username,
            "FREQTRADE__API_SERVER__PASSWORD": self._bot_address.password,
            "FREQTRADE__API_SERVER__WS_TOKEN": self._bot_address.ws_token,
            "FREQTRADE__API_SERVER__JWT_SECRET_KEY": secrets.token_urlsafe(32),
        }

    def play(self, processes: Processes) -> None:
        """Play the whole course."""
        self._say("Starting the replay market: generated, offline, no keys.")
        url = self._start_market(processes)
        with httpx.Client(base_url=url, timeout=_READY_S, trust_env=False) as client:
            stretch = self._choose(Market(client))
        self._backtest(processes)
        self._paper_trade(processes, stretch)

    # ---- steps ----

    def _start_market(self, processes: Processes) -> str:
        ready = self.folder / "market.url"
        processes.start(
            "market",
            [
                program("scalp-layers"), "market", "--port", "0",
                "--seed", str(self._options.seed),
                "--ready-file", str(ready), "--write-config", str(self.folder / "replay.json"),
            ],
        )  # fmt: skip
        return processes.wait_for_file("market", ready, _READY_S)

    def _choose(self, market: Market) -> Stretch:
        now = datetime.now(UTC)
        following = candle_open(now) + _CANDLE
        is_near = (following - now).total_seconds() <= _NEXT_CLOSE_S
        close = following if is_near else following - _CANDLE
        pairs = self._pairs()
        with self._console.status("Looking for a stretch of the market with an early signal ..."):
            stretch = find_stretch(
                market, pairs, close, now + timedelta(seconds=_BACKTEST_S), _SEARCH_DAYS
            )
        self._say(
            f"The market's start was chosen by search: {-stretch.shift_days} days back from the "
            f"first stretch tried, because there {stretch.pair} gives a signal at the "
            f"{stretch.close:%H:%M} UTC close. A signal does not come this soon by itself."
        )
        return stretch

    def _backtest(self, processes: Processes) -> None:
        # The timeframes need different depths of history: the 15m scores have to settle.
        self._download(processes, ["15m"], _HISTORY_DAYS)
        self._download(processes, ["5m", "1m"], _LOWER_HISTORY_DAYS)
        end = datetime.now(UTC)
        first = end - timedelta(days=_BACKTEST_DAYS)
        self._freqtrade(
            processes,
            "backtesting",
            ["--timerange", f"{first:%Y%m%d}-{end:%Y%m%d}", "--timeframe-detail", "1m",
             "-c", str(self._config / "backtest.json")],
            f"Backtesting {_BACKTEST_DAYS} days of {len(self._pairs())} pairs on 1m candles ...",
        )  # fmt: skip
        processes.start("report", [program("scalp"), "report", "--userdir", str(self.folder)])
        processes.wait("report", self._seconds_left())
        self._console.print(
            processes.log("report").read_text(encoding="utf-8"), markup=False, highlight=False
        )

    def _download(self, processes: Processes, timeframes: list[str], days: int) -> None:
        start = datetime.now(UTC) - timedelta(days=days)
        self._freqtrade(
            processes,
            "download-data",
            ["--timeframes", *timeframes, "--timerange", f"{start:%Y%m%d}-"],
            f"Downloading {days} days of {' and '.join(timeframes)} candles ...",
        )

    def _paper_trade(self, processes: Processes, stretch: Stretch) -> None:
        overlay = self._write_overlay()
        processes.start(
            "bot", self._command("trade", ["-c", str(overlay)], dry_run=True), self._secrets
        )
        bot = Bot(self._bot_address)
        with self._console.status("Starting paper trading: the real Freqtrade, dry-run ..."):
            self._wait_until_up(processes, bot)
        self._say(
            f"Paper trading. API on {self._bot_address.url} (user demo; the password is new "
            f"at each start). Logs in {self.folder}. Expected: {stretch.pair}."
        )
        self._watch(processes, bot)

    def _watch(self, processes: Processes, bot: Bot) -> None:
        viewer = Viewer(self._console)
        shown_at: datetime | None = None
        with bot.listen() as stream:
            bot.start()
            while True:
                processes.check()
                for message in messages(stream, _MESSAGE_S):
                    viewer.show(message)
                    if self._is_done(viewer):
                        return
                shown_at = self._show_scores(bot, shown_at)
                viewer.catch_up(bot.open_trades())
                if self._is_done(viewer):
                    return
                self._check_time()

    def _show_scores(self, bot: Bot, shown_at: datetime | None) -> datetime | None:
        """Print the scores of a candle once all pairs have it; return the close last shown."""
        close = candle_open(datetime.now(UTC))
        if shown_at == close:
            return shown_at
        rows = _scores(bot, close - _CANDLE)
        if not rows:
            return shown_at
        self._console.print(_score_table(rows, close))
        return close

    def _is_done(self, viewer: "Viewer") -> bool:
        if not (self._options.once and viewer.opened & viewer.signalled):
            return False
        pair = min(viewer.opened & viewer.signalled)
        self._say(f"Done: the signal of {pair} was shown and its paper trade is open.")
        return True

    def _seconds_left(self) -> float | None:
        """Return what is left of the time that `once` allows; None without a limit."""
        left = _ONCE_S - (time.monotonic() - self._began)
        return max(0.0, left) if self._options.once else None

    def _check_time(self) -> None:
        if self._seconds_left() == 0.0:
            raise SourceUnavailable(
                f"no signal became a paper trade in {_ONCE_S:.0f} s; see {self.folder}/bot.log"
            )

    # ---- the host ----

    def _freqtrade(
        self, processes: Processes, command: str, arguments: list[str], text: str
    ) -> None:
        with self._console.status(text):
            processes.start(command, self._command(command, arguments))
            processes.wait(command, self._seconds_left())
        # The host ends with code 0 when it cannot read its configuration.
        if _CONFIG_ERROR in (tail := processes.tail(command)):
            raise SourceUnavailable(f"{command}:\n{tail}")

    def _command(self, command: str, arguments: list[str], *, dry_run: bool = False) -> list[str]:
        configs = ["base", "futures", *(["dry-run"] if dry_run else [])]
        files = [str(self._config / f"{name}.json") for name in configs]
        files.append(str(self.folder / "replay.json"))
        return [
            program("freqtrade"), command, "--userdir", str(self.folder),
            *(word for file in files for word in ("-c", file)), *arguments,
        ]  # fmt: skip

    def _write_overlay(self) -> Path:
        path = self.folder / "demo.json"
        overlay: dict[str, Any] = {
            "bot_name": "demo",
            # Started through the API once its messages are listened to, so that none is missed.
            "initial_state": "stopped",
            "db_url": f"sqlite:///{self.folder / 'trades.sqlite'}",
            "api_server": {"listen_port": self._bot_address.port},
        }
        path.write_text(json.dumps(overlay, indent=2) + "\n", encoding="utf-8")
        return path

    def _wait_until_up(self, processes: Processes, bot: Bot) -> None:
        deadline = time.monotonic() + _READY_S
        while not bot.is_up():
            processes.check()
            if time.monotonic() > deadline:
                raise SourceUnavailable(f"the bot did not start:\n{processes.tail('bot')}")
            time.sleep(_MESSAGE_S / 2)

    def _pairs(self) -> list[str]:
        futures = json.loads((self._config / "futures.json").read_text(encoding="utf-8"))
        return list(futures["exchange"]["pair_whitelist"])

    def _fresh_folder(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        (self.folder / "strategies").mkdir(parents=True)
        (self.folder / "hyperopts").mkdir()
        shim = self._options.root / "user_data" / "strategies" / "ScalpStrategy.py"
        shutil.copy(shim, self.folder / "strategies")

    def _say(self, text: str) -> None:
        self._console.print(f"[bold]>[/bold] {text}", highlight=False)


class Viewer:
    """Prints the bot's messages and remembers which signals became trades."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.signalled: set[str] = set()
        self.opened: set[str] = set()

    def show(self, message: dict[str, Any]) -> None:
        """Print one message of the stream."""
        kind, pair = str(message.get("type")), str(message.get("pair"))
        if kind == "strategy_msg":
            text = str(message.get("msg", ""))
            self.signalled |= {word for word in text.splitlines()[0].split() if "/" in word}
            self._console.print(f"\n{text}\n", markup=False, highlight=False)
        elif kind in _ORDER_WORDS:
            self._console.print(_order_line(kind, message), markup=False, highlight=False)
            if kind == "entry_fill":
                self.opened.add(pair)

    def catch_up(self, trades: list[dict[str, Any]]) -> None:
        """Count trades that were opened before the stream was there."""
        self.opened |= {str(trade["pair"]) for trade in trades if trade.get("amount")}


def _order_line(kind: str, message: dict[str, Any]) -> str:
    is_entry = kind.startswith("entry")
    rate = message.get("open_rate") if is_entry else message.get("close_rate")
    reason = message.get("enter_tag") if is_entry else message.get("exit_reason")
    words = (
        f"{datetime.now(UTC):%H:%M:%S}",
        _ORDER_WORDS[kind],
        message.get("pair"),
        str(message.get("direction", "")).lower(),
        f"{message.get('amount')} at {rate or message.get('order_rate')}",
        reason,
    )
    return " | ".join(str(word) for word in words if word)


def _scores(bot: Bot, opened: datetime) -> list[dict[str, Any]]:
    """Return the last analysed row of every pair, best first; nothing while one is older."""
    rows = []
    for pair in bot.pairs():
        row = bot.last_row(pair)
        if not row or datetime.fromisoformat(str(row["date"])) < opened:
            return []
        rows.append({**row, "pair": pair})
    return sorted(rows, key=lambda row: -float(row["confluence"]))


def _score_table(rows: list[dict[str, Any]], close: datetime) -> Table:
    table = Table(title=f"Scanned pairs at the {close:%H:%M} UTC close", title_justify="left")
    for name in ("pair", "long", "short", "TA long", "TA short", "coverage", "ATR %", "tier"):
        table.add_column(name, justify="left" if name == "pair" else "right")
    for row in rows:
        values = (row["confluence_long"], row["confluence_short"], row["ta_long"], row["ta_short"])
        table.add_row(
            row["pair"],
            *(f"{float(value):.1f}" for value in values),
            f"{float(row['coverage']):.2f}",
            f"{float(row['atr_pct']):.2f}",
            TIER_NAMES[int(row["tier"])],
        )
    return table


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

"""The demo's course: market, search, backtest, report, sidecar, paper trading."""

import fcntl
import json
import secrets
import shutil
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Any, Final

import httpx
from rich.console import Console
from rich.markup import escape

from scalp_strategy.demo import story
from scalp_strategy.demo.bot import Bot, BotAddress
from scalp_strategy.demo.clock import SharedClock
from scalp_strategy.demo.market import Market
from scalp_strategy.demo.paper import PaperTrading
from scalp_strategy.demo.processes import Processes, program
from scalp_strategy.demo.progress import Progress
from scalp_strategy.demo.search import (
    HISTORY_DAYS,
    LOWER_HISTORY_DAYS,
    Stretch,
    find_stretch,
)
from scalp_strategy.demo.sidecar import Sidecar
from scalp_strategy.errors import ConfigError, SourceUnavailable
from scalp_strategy.exits import candle_open

# Traded often enough that the order flow is known within the short window.
BASES: Final = ("BTC", "ETH", "BNB", "SOL", "XRP", "DOGE", "BCH", "ADA")
_BACKTEST_DAYS: Final = 3
_SEARCH_DAYS: Final = 365
_CANDLE: Final = timedelta(minutes=15)
_AHEAD: Final = timedelta(minutes=15)  # of the start, at least, is the close that is shown
_BOOT: Final = timedelta(minutes=10)  # before that close, when the sidecar starts
_READY_S: Final = 300.0  # for a program to answer
_ANSWER_S: Final = 10.0  # for one question to the sidecar, which is put again and again
_STEP_S: Final = 1_800.0  # for a backtest or a download to end
_CONFIG_ERROR: Final = "Configuration error"


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
        When a program fails, or something that was waited for does not come.
    ConfigError
        When the project's configs are not where they should be.
    """
    demo = _Demo(options, console)
    with demo.processes:
        demo.play()


class _Demo:
    def __init__(self, options: DemoOptions, console: Console) -> None:
        self._options = options
        self._console = console
        self._config = options.root / "config"
        if not (self._config / "base.json").is_file():
            raise ConfigError(f"{self._config}/base.json is missing; run from the project's folder")
        self._folder = options.root / "user_data" / "demo"
        self._lock = _locked(self._folder)
        self._fresh_folder()
        self._clock = SharedClock(self._folder / "clock")
        self._progress = Progress(console)
        self.processes = Processes(self._folder, self._clock, self._progress.tick)
        self._pairs = [f"{base}/USDT:USDT" for base in BASES]
        own = {"exchange": {"pair_whitelist": self._pairs}, "scalp": story.SECTION}
        self._write("demo.json", own)

    def play(self) -> None:
        """Play the whole course."""
        self._say(
            "A generated market on this machine: it proves the machinery, not the edge. "
            "No keys, no internet, no real money."
        )
        close = candle_open(self._clock.now() + _AHEAD) + _CANDLE
        with self._progress.step("Starting the replay market"):
            url = self._start_market()
        with httpx.Client(base_url=url, timeout=_READY_S, trust_env=False) as client:
            market = Market(client)
            stretch = self._choose(market, close)
            self._backtest()
            self._paper_trade(market, url, stretch)

    # ---- steps ----

    def _start_market(self) -> str:
        ready = self._folder / "market.url"
        self.processes.start(
            "market",
            [
                program("scalp-layers"), "market", "--port", "0",
                "--seed", str(self._options.seed), "--symbols", ",".join(BASES),
                "--ready-file", str(ready), "--write-config", str(self._folder / "replay.json"),
            ],
        )  # fmt: skip
        return self.processes.wait_for_file("market", ready, _READY_S)

    def _choose(self, market: Market, close: datetime) -> Stretch:
        with self._progress.step("Looking for a stretch of the market with an early signal"):
            stretch = find_stretch(market, self._pairs, close, self._clock.now(), _SEARCH_DAYS)
        self._say(
            f"The market's start was chosen by search: {-stretch.shift_days} days back, because "
            f"there the candles of {stretch.pair} support a long at the {stretch.close:%H:%M} UTC "
            "close. A signal does not come this soon by itself."
        )
        return stretch

    def _backtest(self) -> None:
        with self._progress.step("Downloading candles"):
            # The timeframes need different depths of history: the 15m scores have to settle.
            self._download(["15m"], HISTORY_DAYS)
            self._download(["5m", "1m"], LOWER_HISTORY_DAYS)
        end = self._clock.now()
        first = end - timedelta(days=_BACKTEST_DAYS)
        text = f"Backtesting {_BACKTEST_DAYS} days of {len(self._pairs)} pairs on 1m candles"
        with self._progress.step(text):
            words = ["--timerange", f"{first:%Y%m%d}-{end:%Y%m%d}", "--timeframe-detail", "1m",
                     "-c", str(self._config / "backtest.json")]  # fmt: skip
            self._run_host("backtesting", words)
        with self._progress.step("Reporting"):
            self.processes.start(
                "report",
                [program("scalp"), "report", "--userdir", str(self._folder)],
                {"COLUMNS": str(self._console.width)},
            )
            self.processes.wait("report", _STEP_S)
        self._print(self.processes.log("report").read_text(encoding="utf-8"))

    def _paper_trade(self, market: Market, url: str, stretch: Stretch) -> None:
        pair = stretch.pair
        # However long the backtest took: the time in which all programs start is the same.
        self._clock.set_to(stretch.close - _BOOT)
        story.set_scene(market, pair, stretch.close)
        sidecar_url = self._start_sidecar(url)
        with httpx.Client(base_url=sidecar_url, timeout=_ANSWER_S, trust_env=False) as client:
            sidecar = Sidecar(client)
            self._await(
                lambda: sidecar.watches(self._pairs),
                "Following books and trades",
                "the sidecar to watch all pairs",
            )
        self._clock.jump_to(stretch.close - timedelta(seconds=story.HEARD_S))
        story.let_whales_move(market, pair)
        self._say(
            "The outside world is scripted for this demo: the press is friendly, takers buy "
            f"{pair}, whales take it from exchanges and bring dollars. The demo's clock was set to "
            f"{self._clock.now():%H:%M:%S} UTC, shortly before a candle closes."
        )
        address = self._start_bot(sidecar_url)
        bot = Bot(address)
        self._await(bot.is_up, "Starting the real Freqtrade, dry-run", "the bot's API")
        self._say(
            f"Paper trading. API on {address.url} until the demo ends; user {address.username}, "
            f"password {address.password}. Logs in {self._folder}. Several pairs may give a "
            f"signal; this demo is about that of {pair}."
        )
        # Let loose after the close only, the bot has no trade that could speak against this one.
        self._await(
            lambda: self._clock.now() > stretch.close,
            f"The sidecar listens until the candle closes at {stretch.close:%H:%M} UTC",
            "the close",
        )
        paper = PaperTrading(self._console, self.processes, self._clock, bot, stretch)
        paper.watch(once=self._options.once)

    # ---- sidecar and bot ----

    def _start_sidecar(self, market_url: str) -> str:
        ready = self._folder / "sidecar.url"
        configs = self._configs("base", "futures", own=["demo"])
        self.processes.start(
            "sidecar",
            [program("scalp-layers"), "run", *configs,
             "--data-dir", str(self._folder / "layers"), "--ready-file", str(ready)],
            {"SCALP_LAYERS_EXCHANGE_URL": market_url, "FREQTRADE__SCALP__SIDECAR__PORT": "0"}
            | story.KEYS,
        )  # fmt: skip
        with self._progress.step("Starting the sidecar: scanner, order flow, chain, sentiment"):
            return self.processes.wait_for_file("sidecar", ready, _READY_S)

    def _start_bot(self, sidecar_url: str) -> BotAddress:
        address = BotAddress(
            _free_port(), "demo", secrets.token_urlsafe(16), secrets.token_urlsafe(16)
        )
        overlay: dict[str, Any] = {
            "bot_name": "demo",
            # Started through the API once its messages are listened to, so that none is missed.
            "initial_state": "stopped",
            "db_url": f"sqlite:///{self._folder / 'trades.sqlite'}",
            "api_server": {"listen_port": address.port},
            "pairlists": [
                {"method": "RemotePairList", "pairlist_url": f"{sidecar_url}/v1/pairlist"}
                | {"mode": "whitelist", "number_assets": 40, "refresh_period": 60}
                | {"keep_pairlist_on_failure": True}
            ],
            "scalp": {"sidecar": {"url": sidecar_url}},
        }
        self._write("bot-demo.json", overlay)
        hidden = {
            "FREQTRADE__API_SERVER__USERNAME": address.username,
            "FREQTRADE__API_SERVER__PASSWORD": address.password,
            "FREQTRADE__API_SERVER__WS_TOKEN": address.ws_token,
            "FREQTRADE__API_SERVER__JWT_SECRET_KEY": secrets.token_urlsafe(32),
        }
        words = ["-c", str(self._folder / "bot-demo.json")]
        self.processes.start("bot", self._command("trade", words, "dry-run"), hidden)
        return address

    def _await(self, wanted: Callable[[], bool], text: str, what: str) -> None:
        with self._progress.step(text):
            self.processes.until(wanted, what, _READY_S)

    # ---- the host ----

    def _download(self, timeframes: list[str], days: int) -> None:
        start = self._clock.now() - timedelta(days=days)
        self._run_host(
            "download-data", ["--timeframes", *timeframes, "--timerange", f"{start:%Y%m%d}-"]
        )

    def _run_host(self, command: str, words: list[str]) -> None:
        self.processes.start(command, self._command(command, words))
        self.processes.wait(command, _STEP_S)
        # The host ends with code 0 when it cannot read its configuration.
        if _CONFIG_ERROR in (tail := self.processes.tail(command)):
            raise SourceUnavailable(f"{command}:\n{tail}")

    def _command(self, command: str, words: list[str], *more: str) -> list[str]:
        configs = self._configs("base", "futures", *more, own=["replay", "demo"])
        return [program("freqtrade"), command, "--userdir", str(self._folder), *configs, *words]

    def _configs(self, *shipped: str, own: list[str]) -> list[str]:
        files = [self._config / f"{name}.json" for name in shipped]
        files += [self._folder / f"{name}.json" for name in own]
        return [word for file in files for word in ("-c", str(file))]

    def _fresh_folder(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        (self._folder / "strategies").mkdir(parents=True)
        (self._folder / "hyperopts").mkdir()
        shim = self._options.root / "user_data" / "strategies" / "ScalpStrategy.py"
        shutil.copy(shim, self._folder / "strategies")

    def _write(self, name: str, config: dict[str, Any]) -> None:
        text = json.dumps(config, indent=2) + "\n"
        (self._folder / name).write_text(text, encoding="utf-8")

    # ---- words ----

    def _say(self, text: str) -> None:
        self._console.print(f"[bold]>[/bold] {escape(text)}", highlight=False)

    def _print(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False)


def _locked(folder: Path) -> IO[str]:
    """Return a lock on a demo's folder, held until it is closed; a second demo would empty it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    file = folder.with_suffix(".lock").open("w", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise ConfigError(
            f"another demo uses {folder}: end it first, or choose another project with --root"
        ) from None
    return file


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

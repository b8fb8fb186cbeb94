"""When the demo of one signal ends, and what it says when the signal does not come."""

import contextlib
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from scalp_strategy.demo import paper
from scalp_strategy.demo.clock import SharedClock
from scalp_strategy.demo.paper import PaperTrading
from scalp_strategy.demo.processes import Processes
from scalp_strategy.demo.search import Stretch
from scalp_strategy.errors import SourceUnavailable

SOL, ETH = "SOL/USDT:USDT", "ETH/USDT:USDT"
CLOSE = datetime(2026, 12, 1, 6, tzinfo=UTC)
SCORES = dict.fromkeys(
    ("confluence", "confluence_long", "confluence_short", "ta_long", "ta_short"), 70.0
)


class Bot:
    """Says what is planned, a message at each look, and holds the trades that it has told of."""

    def __init__(self, *told: dict[str, Any], is_analysing: bool = True) -> None:
        self._told = list(told)
        self._is_analysing = is_analysing
        self._trades: list[dict[str, Any]] = []
        self.is_trading = False

    @contextlib.contextmanager
    def listen(self) -> Iterator["Bot"]:
        yield self

    def recv(self, timeout: float) -> str:
        if not self._told:
            raise TimeoutError
        message = self._told.pop(0)
        if message["type"] == "entry_fill":
            self._trades.append({**message, "profit_ratio": -0.001, "profit_abs": -1.0})
        return json.dumps(message)

    def start(self) -> None:
        self.is_trading = True

    def pairs(self) -> list[str]:
        return [SOL]

    def last_row(self, pair: str) -> dict[str, Any]:
        if not self._is_analysing:
            return {}
        date = (CLOSE - timedelta(minutes=15)).isoformat()
        return {"date": date, **SCORES, "coverage": 0.8, "atr_pct": 0.5, "tier": 1}

    def open_trades(self) -> list[dict[str, Any]]:
        return self._trades


def signal(pair: str) -> dict[str, Any]:
    return {"type": "strategy_msg", "msg": f"🟢 LONG — {pair} ⚡\n━━━"}


def fill(pair: str) -> dict[str, Any]:
    return {"type": "entry_fill", "pair": pair, "direction": "Long", "amount": 1.0}


@pytest.fixture
def output() -> io.StringIO:
    return io.StringIO()


def trading(bot: Bot, folder: Path, output: io.StringIO) -> PaperTrading:
    clock = SharedClock(folder / "clock", CLOSE + timedelta(seconds=3))
    processes = Processes(folder, clock)
    stretch = Stretch(0, SOL, CLOSE)
    return PaperTrading(Console(file=output, width=200), processes, clock, bot, stretch)  # type: ignore[arg-type]


def test_it_ends_with_the_trade_of_the_signal_it_is_about(
    tmp_path: Path, output: io.StringIO
) -> None:
    bot = Bot(signal(ETH), fill(ETH), signal(SOL), fill(SOL))
    trading(bot, tmp_path, output).watch(once=True)
    assert bot.is_trading
    said = output.getvalue()
    assert f"Done: the signal of {SOL} was shown" in said
    assert f"other signals of this candle: {ETH}." in said
    assert f"open: {SOL} long -0.10 % (-1.00 USDT) | next close 06:15 UTC in 14:5" in said


@pytest.mark.parametrize(
    ("bot", "state"),
    [
        (Bot(is_analysing=False), "analysed no candle"),
        (Bot(), "traded nothing"),
        (Bot(signal(ETH), fill(ETH)), f"signalled {ETH} alone"),
        (Bot(signal(SOL)), f"signalled {SOL} and opened no trade of it"),
    ],
)
def test_a_signal_that_does_not_come_is_explained(
    bot: Bot, state: str, tmp_path: Path, output: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paper, "_SIGNAL_S", 0.0)
    with pytest.raises(SourceUnavailable, match=rf"after the 06:00 close the bot has {state}"):
        trading(bot, tmp_path, output).watch(once=True)

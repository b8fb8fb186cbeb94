"""A market in which a planned signal is followed by a path written by hand.

A pair's own candles are kept up to a signal's close, so that the strategy finds the very signal
again; from then on the minutes follow a script. Several scripts run side by side on other pairs'
names, over the same past.
"""

import shutil
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pandas as pd
from freqtrade.enums import CandleType
from pandas import DataFrame, concat

from scalp_strategy.contract import sign_of
from scalp_strategy.risk import TradePlan, digits_of
from tests.support.candles import merged
from tests.support.freqtrade import Backtest, Workspace, pair_name, write_candles

SCRIPT_MINUTES: Final = 180
# Real names with fine amount steps and the smallest minimum order.
_NAMES: Final = ("LTC", "BCH", "SOL", "BNB", "LINK")
_CANDLE: Final = timedelta(minutes=15)
_VOLUME: Final = 1_000.0
# All scripts have one past, so they move as one up to the signal; each shall be traded.
_UNRELATED: Final = {
    "scalp": {"breakers": {"correlation_block": 1.0, "correlation_cluster": 1.0}},
}

Step = float | tuple[float, float]


class Script:
    """A path in R: closes minute by minute, or (open, close) for a gap; the last close stays."""

    def __init__(self, *steps: Step) -> None:
        self._steps = steps

    def bars(self) -> list[tuple[float, float]]:
        """Return (open, close) of every minute, in R."""
        closes = [step[1] if isinstance(step, tuple) else step for step in self._steps]
        opens = [0.0, *closes[:-1]]
        bars = [
            step if isinstance(step, tuple) else (opened, step)
            for opened, step in zip(opens, self._steps, strict=True)
        ]
        return [*bars, *[(closes[-1], closes[-1])] * (SCRIPT_MINUTES - len(bars))]


class ScriptedMarket:
    """A data folder of scripts that follow one signal.

    Parameters
    ----------
    space
        Where the signal was found.
    folder
        An empty folder for the candles.
    source
        The pair of the signal.
    plan, close
        Its plan, and the close of its candle.
    tick
        The pair's price step.
    """

    def __init__(
        self,
        space: Workspace,
        folder: Path,
        source: str,
        plan: TradePlan,
        close: datetime,
        tick: float,
    ) -> None:
        self.space, self.plan, self.close, self.tick = space, plan, close, tick
        self.datadir = folder
        self._source = source
        self._pairs: list[str] = []

    def price_at(self, multiple: float) -> float:
        """Return the price at which the planned trade has made `multiple` R, on the tick."""
        price = self.plan.price + sign_of(self.plan.side) * multiple * self.plan.distance
        return round(round(price / self.tick) * self.tick, digits_of(self.tick))

    def write(self, script: Script) -> str:
        """Write a script under the next free pair name and return the name."""
        pair = pair_name(_NAMES[len(self._pairs)], self.space.mode)
        minutes = concat([self._past("1m"), self._future(script)], ignore_index=True)
        self._store(pair, "1m", minutes)
        future = minutes[minutes["date"] >= self.close]
        for length in (5, 15):
            frames = [self._past(f"{length}m"), _as_stored(merged(future, length))]
            self._store(pair, f"{length}m", concat(frames, ignore_index=True))
        self._copy_funding(pair)
        self._pairs.append(pair)
        return pair

    def backtest(self, overlay: Mapping[str, Any] | None = None) -> Backtest:
        """Run the host's backtester over the scripts, from the signal's candle on."""
        exchange = {"exchange": {"pair_whitelist": self._pairs}}
        span = (self.close - _CANDLE, self.close + timedelta(minutes=SCRIPT_MINUTES))
        configs = {**exchange, **_UNRELATED, **(overlay or {})}
        return self.space.backtest(configs, datadir=self.datadir, span=span)

    def _past(self, timeframe: str) -> DataFrame:
        candles = self.space.candles(self._source, timeframe)
        return candles[candles["date"] < self.close]

    def _future(self, script: Script) -> DataFrame:
        prices = [
            (self.price_at(opened), self.price_at(closed)) for opened, closed in script.bars()
        ]
        prices[0] = (self.plan.price, prices[0][1])
        dates = pd.date_range(self.close, periods=len(prices), freq="1min")
        rows = [(o, max(o, c), min(o, c), c, _VOLUME) for o, c in prices]
        frame = DataFrame(rows, columns=["open", "high", "low", "close", "volume"])
        frame.insert(0, "date", dates)
        return _as_stored(frame)

    def _store(self, pair: str, timeframe: str, candles: DataFrame) -> None:
        write_candles(self.datadir, pair, timeframe, candles, CandleType(self.space.mode))

    def _copy_funding(self, pair: str) -> None:
        if self.space.mode != "futures":
            return
        own, other = (name.replace("/", "_").replace(":", "_") for name in (self._source, pair))
        for kind in ("mark", "funding_rate"):
            name = f"futures/{own}-1h-{kind}.feather"
            shutil.copy(self.space.datadir / name, self.datadir / name.replace(own, other))


def _as_stored(candles: DataFrame) -> DataFrame:
    return candles.assign(date=candles["date"].dt.as_unit("ms"))

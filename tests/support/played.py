"""Signals with a plan, and the candles after their close."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import pandas as pd

from scalp_strategy.contract import sign_of
from scalp_strategy.outcomes.replay import MINUTE_MS, Asked, History, epoch_ms
from scalp_strategy.risk import TradePlan
from scalp_strategy.settings import Settings
from scalp_strategy.signals import SignalKey
from tests.support.host_stub import CLOSE, PAIR

Row = tuple[float, float, float, float]
VALID: Final = timedelta(minutes=15)


def plan_at(side: str = "long", price: float = 100.0, distance: float = 1.0, atr: float = 0.8):
    """Return a plan of the default ladder: targets at 1.5, 2.5 and 4 R, 40/40/20."""
    ladder = Settings().risk.ladder
    return TradePlan(
        side=side,
        price=price,
        atr=atr,
        distance=distance,
        target_r=ladder.target_r,
        legs=ladder.legs,
        cost_ratio=0.002,
        is_floored=False,
    )


def signal_at(side: str = "long", close: datetime = CLOSE, pair: str = PAIR, **plan) -> Asked:
    return Asked(SignalKey(pair, side, close), plan_at(side, **plan), close + VALID)


def history_from(
    rows: Sequence[Row], minutes: int = 1, start: datetime = CLOSE, missing: Iterable[int] = ()
) -> History:
    """Return candles one after the other, without those at the places named."""
    open_ms = epoch_ms(start) + np.arange(len(rows), dtype=np.int64) * minutes * MINUTE_MS
    kept = np.setdiff1d(np.arange(len(rows)), [*missing])
    found = History.of(
        minutes, open_ms[kept], np.array(rows, dtype=float).reshape(-1, 4).T[:, kept]
    )
    return found._replace(since_ms=epoch_ms(start))


def seen_from(side: str, rows: Iterable[Row], about: float = 100.0) -> list[Row]:
    """Return rows as a long's, for a short upside down: high and low change places."""
    if sign_of(side) > 0:
        return list(rows)
    turn = 2 * about
    return [(turn - o, turn - low, turn - high, turn - c) for o, high, low, c in rows]


def frame_of(history: History) -> pd.DataFrame:
    """Return candles as the host shows them."""
    opened, high, low, close = history.prices
    dates = pd.to_datetime(history.open_ms, unit="ms", utc=True)
    prices = {"open": opened, "high": high, "low": low, "close": close}
    return pd.DataFrame({"date": dates, **prices, "volume": 1.0})

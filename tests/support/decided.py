"""A real decision: candles analysed, the last one made a candidate, judged by the desk."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from scalp_strategy.analysed import AnalysedPair
from scalp_strategy.confluence import confluence
from scalp_strategy.contract import TIER_MEDIUM, Component
from scalp_strategy.decision import DecisionDesk
from scalp_strategy.entries import stop_columns
from scalp_strategy.layers.series import series_of
from scalp_strategy.settings import Settings
from scalp_strategy.technical import technical_layer
from tests.support.host_stub import CANDLE, CLOSE, PAIR, StubHost, desk_of

ROWS = 400


@dataclass
class Rooms:
    """What an announcement asks of the engine."""

    desk: DecisionDesk
    host: StubHost
    layers: "Said"


@dataclass
class Said:
    """Components that are known; a source of the layers."""

    components: tuple[Component, ...] = ()

    def series(self, layer, pair, since_ms, until_ms):
        own = [one for one in self.components if (one.layer, one.pair) == (layer, pair)]
        return {one.name: series_of([one]) for one in own if one.available_at_ms <= until_ms}


def candles() -> pd.DataFrame:
    """A seeded random walk around 100 whose last candle closes at CLOSE."""
    rng = np.random.default_rng(20260302)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.004, ROWS)))
    opened = np.concatenate(([100.0], close[:-1]))
    return pd.DataFrame(
        {
            "date": pd.date_range(CLOSE - CANDLE * ROWS, periods=ROWS, freq="15min"),
            "open": opened,
            "high": np.maximum(opened, close) * 1.002,
            "low": np.minimum(opened, close) * 0.998,
            "close": close,
            "volume": rng.uniform(50, 150, ROWS),
        }
    )


def decided(side="long", **columns):
    """Analyse real candles, make the last one a candidate, and let the desk decide it."""
    frame = candles()
    frame = pd.concat([frame, technical_layer(frame)], axis=1)
    frame = pd.concat([frame, confluence(frame.assign(**columns))], axis=1)
    frame = frame.assign(**stop_columns(frame, Settings()))
    last = {
        "is_candidate": frame.index == ROWS - 1,
        "direction": np.int8(1 if side == "long" else -1),
        "tier": np.int8(TIER_MEDIUM),
        "confluence": 72.4,
        "coverage": 0.61,
        "atr_pct": 1.0,
        "volume_ratio": 2.0,
    }
    desk = desk_of(host=(host := StubHost()))
    desk.offer(AnalysedPair(PAIR, frame.assign(**last | columns), Settings()))
    (decision,) = desk.decide(CLOSE, [PAIR])
    return decision, Rooms(desk, host, Said())

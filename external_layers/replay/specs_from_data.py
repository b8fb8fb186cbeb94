"""Tick, step and liquidity of a recorded symbol, read off its candles."""

from dataclasses import replace
from decimal import Decimal
from typing import Final

import numpy as np

from external_layers.binance.messages import MarketKind
from external_layers.replay.minutes import DAY_MINUTES, Floats
from external_layers.replay.refinement import Bars
from external_layers.replay.symbols import QUOTE, SymbolSpec, known_symbols

_SAMPLE: Final = 2_000
_MOST_DECIMALS: Final = 8
_EXACT: Final = 1e-6
_USD_PER_TRADE: Final = 8_000.0
_TRADES_A_MINUTE: Final = (8, 240)
_SPREAD_BPS: Final = 1.0
_LEVEL_SHARE: Final = 4e-5  # of a day's volume that rests on one level
_MIN_NOTIONAL: Final = 5


def spec_of(name: str, kind: MarketKind, bars: Bars) -> SymbolSpec:
    """Return the specification of a recorded symbol.

    Increments are the decimals that occur in the last candles; cost and liquidity are those of
    the known symbol of that name, else estimates from the volume.
    """
    tick = _increment(np.concatenate([bars.open[-_SAMPLE:], bars.close[-_SAMPLE:]]))
    step = _increment(bars.volume[-_SAMPLE:])
    price = float(np.median(bars.close))
    known = known_symbols().get(name)
    if known is not None:
        return replace(known[kind], tick=tick, step=step, reference_price=price)
    daily = float(np.mean(bars.volume * bars.close)) * DAY_MINUTES / _step_minutes(bars)
    trades = int(np.clip(daily / DAY_MINUTES / _USD_PER_TRADE, *_TRADES_A_MINUTE))
    return SymbolSpec(
        base=name.removesuffix(QUOTE),
        tick=tick,
        step=step,
        min_notional=_MIN_NOTIONAL,
        reference_price=price,
        beta=1.0,
        own_volatility=0.0,
        daily_volume_usd=daily,
        trades_per_minute=trades,
        spread_bps=_SPREAD_BPS,
        depth_usd=daily * _LEVEL_SHARE,
    )


def _increment(values: Floats) -> Decimal:
    """Return the largest power of ten, at most 1, of which all values are multiples."""
    for decimals in range(_MOST_DECIMALS):
        scaled = values * 10.0**decimals
        if np.all(np.abs(scaled - np.rint(scaled)) < _EXACT * np.maximum(1.0, np.abs(scaled))):
            return Decimal(1).scaleb(-decimals)
    return Decimal(1).scaleb(-_MOST_DECIMALS)


def _step_minutes(bars: Bars) -> int:
    return int(bars.minute[1] - bars.minute[0]) if len(bars.minute) > 1 else 1

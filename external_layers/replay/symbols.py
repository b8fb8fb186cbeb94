"""The replay market's symbols: real names with their tick, step, cost and liquidity."""

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from external_layers.binance.messages import MarketKind

KINDS: Final[tuple[MarketKind, MarketKind]] = ("spot", "futures")
QUOTE: Final = "USDT"


@dataclass(frozen=True, slots=True)
class SymbolSpec:
    """One symbol of one market.

    Attributes
    ----------
    base
        Base asset, e.g. ``"BTC"``; `name` is the exchange's ``"BTCUSDT"``.
    tick, step
        Price and amount increments, as decimals in quote and base units.
    min_notional
        Smallest order in USDT.
    reference_price
        Around which the generator's price moves, USDT.
    beta, own_volatility
        Loading on the common factor; standard deviation a day of the symbol's own factor.
    daily_volume_usd
        Typical quote volume a day.
    trades_per_minute
        Mean number of trades a minute (the budget of a day is fixed: see the generator).
    spread_bps, depth_usd
        Typical spread; typical notional of one book level near the touch.
    """

    base: str
    tick: Decimal
    step: Decimal
    min_notional: int
    reference_price: float
    beta: float
    own_volatility: float
    daily_volume_usd: float
    trades_per_minute: int
    spread_bps: float
    depth_usd: float

    @property
    def name(self) -> str:
        """The exchange's symbol, e.g. ``BTCUSDT``."""
        return self.base + QUOTE

    @property
    def price_decimals(self) -> int:
        """Decimals of a price."""
        return decimals_of(self.tick)

    @property
    def amount_decimals(self) -> int:
        """Decimals of an amount."""
        return decimals_of(self.step)


def decimals_of(increment: Decimal) -> int:
    """Return the decimals that an increment needs (``Decimal("0.010")`` needs 2)."""
    exponent = increment.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


# base, price, futures tick/step, spot tick/step, beta, own volatility, futures volume (M USD a
# day), trades a minute, spread (bps), level size (thousand USD)
_TABLE: Final = """
BTC   91000   0.1      0.001 0.01     0.00001 1.00 0.0050 6000 240 0.10 120
ETH   3050    0.01     0.001 0.01     0.0001  1.25 0.0150 4500 200 0.15 90
BNB   860     0.01     0.01  0.01     0.001   0.80 0.0110 500  90  0.40 40
SOL   138     0.01     0.01  0.01     0.001   1.30 0.0190 1500 140 0.70 50
XRP   2.15    0.0001   0.1   0.0001   0.1     1.15 0.0180 900  110 0.50 45
DOGE  0.1500  0.00001  1     0.00001  1       1.35 0.0220 600  90  0.70 35
BCH   530     0.01     0.001 0.1      0.001   0.95 0.0200 130  50  0.80 18
INJ   6.1     0.001    0.1   0.001    0.01    1.35 0.0300 40   35  1.70 7
OP    0.330   0.0001   0.1   0.0001   0.01    1.40 0.0290 60   40  3.00 9
ADA   0.44    0.0001   1     0.0001   0.1     1.30 0.0210 350  70  2.30 30
AVAX  14.2    0.001    1     0.01     0.01    1.35 0.0240 200  60  1.00 18
LINK  13.4    0.001    0.01  0.01     0.01    1.35 0.0220 250  60  1.00 20
DOT   2.35    0.001    0.1   0.001    0.01    1.25 0.0220 110  45  4.20 14
LTC   92      0.01     0.001 0.01     0.001   1.00 0.0200 160  50  1.10 16
TRX   0.285   0.00001  1     0.0001   0.1     0.55 0.0110 70   35  0.90 16
NEAR  1.85    0.001    1     0.001    0.1     1.35 0.0270 120  45  5.40 12
APT   1.95    0.0001   0.1   0.001    0.01    1.40 0.0280 60   40  1.80 9
ARB   0.215   0.0001   0.1   0.0001   0.1     1.40 0.0280 90   42  4.60 10
SUI   1.62    0.0001   0.1   0.0001   0.1     1.45 0.0280 420  75  1.00 22
TON   1.58    0.0001   0.1   0.001    0.01    0.95 0.0240 35   35  1.60 8
ATOM  2.50    0.001    0.01  0.001    0.01    1.25 0.0240 45   35  4.00 8
FIL   1.60    0.001    0.1   0.001    0.01    1.35 0.0270 70   40  6.20 9
UNI   6.1     0.001    1     0.001    0.01    1.30 0.0260 110  45  1.70 11
AAVE  182     0.01     0.1   0.01     0.001   1.25 0.0240 120  45  1.00 12
ETC   13.6    0.001    0.01  0.01     0.01    1.20 0.0210 60   38  1.20 9
XLM   0.250   0.00001  1     0.0001   1       1.15 0.0230 70   40  1.00 10
HBAR  0.140   0.00001  1     0.00001  1       1.30 0.0260 110  45  1.10 11
ICP   3.80    0.001    1     0.001    0.01    1.30 0.0280 55   36  2.60 7
SEI   0.138   0.0001   1     0.0001   0.1     1.45 0.0300 60   36  7.20 8
TIA   0.640   0.0001   1     0.0001   0.01    1.50 0.0330 55   36  2.20 7
WIF   0.400   0.0001   0.1   0.001    0.01    1.55 0.0370 90   42  2.50 8
ENA   0.270   0.0001   1     0.0001   0.01    1.50 0.0340 160  50  3.70 10
WLD   0.640   0.0001   1     0.001    0.1     1.40 0.0350 80   42  1.80 8
LDO   0.720   0.0001   1     0.0001   0.01    1.35 0.0300 50   35  1.60 7
ALGO  0.140   0.0001   0.1   0.0001   1       1.20 0.0240 30   30  7.10 7
CRV   0.410   0.0001   0.1   0.0001   0.1     1.30 0.0290 60   36  2.60 9
SAND  0.155   0.00001  1     0.0001   1       1.30 0.0250 22   28  1.60 5
GALA  0.0078  0.00001  1     0.00001  1       1.35 0.0280 35   30  12.8 6
CTSI  0.0420  0.00001  1     0.00001  1       1.20 0.0320 2.5  9   24.0 1.2
PHB   0.380   0.0001   1     0.0001   0.1     1.10 0.0400 1.6  8   18.0 0.8
KAVA  0.115   0.0001   0.1   0.0001   0.1     1.10 0.0270 1.9  8   14.0 1.0
"""

_SPOT_SHARE: Final = 0.22  # spot turns over about a fifth of the perpetual
_SPOT_MIN_NOTIONAL: Final = 5
_FUTURES_MIN_NOTIONAL: Final = 5
_BTC_FUTURES_MIN_NOTIONAL: Final = 100


def _specs(line: str) -> dict[MarketKind, SymbolSpec]:
    base, price, *increments = line.split()
    beta, own, volume, trades, spread, depth = map(float, increments[4:])
    futures = SymbolSpec(
        base=base,
        tick=Decimal(increments[0]),
        step=Decimal(increments[1]),
        min_notional=_BTC_FUTURES_MIN_NOTIONAL if base == "BTC" else _FUTURES_MIN_NOTIONAL,
        reference_price=float(price),
        beta=beta,
        own_volatility=own,
        daily_volume_usd=volume * 1e6,
        trades_per_minute=int(trades),
        spread_bps=spread,
        depth_usd=depth * 1e3,
    )
    spot = replace(
        futures,
        tick=Decimal(increments[2]),
        step=Decimal(increments[3]),
        min_notional=_SPOT_MIN_NOTIONAL,
        daily_volume_usd=futures.daily_volume_usd * _SPOT_SHARE,
        depth_usd=futures.depth_usd * _SPOT_SHARE,
    )
    return {"spot": spot, "futures": futures}


def known_symbols() -> dict[str, dict[MarketKind, SymbolSpec]]:
    """Return the specification of every symbol, by name (``"BTCUSDT"``) and market."""
    rows = [_specs(line) for line in _TABLE.strip().splitlines()]
    return {row["futures"].name: row for row in rows}

"""The generated market: candles of any minute as a pure function of seed, symbol and time.

Minutes are made in blocks of one UTC day. A block depends on the settings, the seed, the symbol
and the day only, so every process, range and order of queries sees the same candles.

The number of trades of a day is fixed per symbol; a minute gets its share by volume. Trade ids
can therefore be counted without knowing the days before.
"""

from collections import OrderedDict
from datetime import date

import numpy as np

from external_layers.binance.messages import MarketKind
from external_layers.replay.day_blocks import DayBlocks, shared_out
from external_layers.replay.factors import Factor, FactorDay
from external_layers.replay.generator_settings import GeneratorSettings
from external_layers.replay.minutes import DAY_MINUTES, Floats, Ints, Minutes
from external_layers.replay.randomness import stream
from external_layers.replay.symbols import SymbolSpec, known_symbols
from scalp_strategy.errors import ConfigError

_UNIX_EPOCH = date(1970, 1, 1)
_BPS = 1e-4
_TAKER_BOUNDS = (0.04, 0.96)
_BASIS_TAPS = 12  # hours over which the basis forgets


class GeneratedMarket(DayBlocks):
    """A `MinuteSource` that makes its candles up, reproducibly.

    Parameters
    ----------
    seed
        Another seed is another market.
    names
        Symbols on offer (``"BTCUSDT"``); None for all known ones.
    settings
        Shape of the market.
    """

    def __init__(
        self,
        seed: int,
        names: list[str] | None = None,
        settings: GeneratorSettings | None = None,
    ) -> None:
        known = known_symbols()
        chosen = list(known) if names is None else names
        if unknown := sorted(set(chosen) - set(known)):
            raise ConfigError(f"unknown symbols {unknown}; known: {sorted(known)}")
        self.settings = settings or GeneratorSettings()
        super().__init__(seed, {name: known[name] for name in chosen}, self.settings.cached_days)
        self._epoch_day = (self.settings.epoch - _UNIX_EPOCH).days
        self._factors: dict[str, Factor] = {}
        self._factor_days: OrderedDict[tuple[str, int], FactorDay] = OrderedDict()

    def first_minute(self, kind: MarketKind, name: str) -> int:  # noqa: ARG002
        """Return the minute of the first candle (both markets list together)."""
        listed = self.settings.late_listings.get(name, self.settings.listed_from)
        return (listed - _UNIX_EPOCH).days * DAY_MINUTES

    def last_minute(self, kind: MarketKind, name: str) -> int:  # noqa: ARG002
        """Return the end of the horizon, a minute."""
        return (self._epoch_day + self.settings.horizon_days - 1) * DAY_MINUTES

    def make_block(self, kind: MarketKind, name: str, day: int) -> Minutes:
        """Return the candles of a UTC day."""
        spec = self.symbols[name][kind]
        log, sigma = self._log_price(kind, spec, day)
        prices = self._prices(kind, spec, day, (log, sigma))
        returns = np.diff(log) / sigma
        volume = self._volume(kind, spec, day, (log, sigma))
        weights = volume**self.settings.trades_response
        trades = shared_out(weights, self.trades_per_day(kind, name))
        steps = np.maximum(np.rint(volume / np.exp(log[1:]) / float(spec.step)), trades)
        return Minutes(
            day * DAY_MINUTES + np.arange(DAY_MINUTES),
            *prices,
            steps.astype(np.int64),
            self._taker_buy(kind, spec, day, (returns, steps)),
            trades,
            self.trades_per_day(kind, name) * day + np.cumsum(trades) - trades,
        )

    def _log_price(self, kind: MarketKind, spec: SymbolSpec, day: int) -> tuple[Floats, Floats]:
        """Log price at the 1,441 edges and sigma of the 1,440 minutes."""
        market, own = self._factor_day("market", day), self._factor_day(spec.name, day)
        log = np.log(spec.reference_price) + spec.beta * market.log + own.log
        if kind == "futures":
            log = log + self._basis(spec.name, day)
        return log, np.hypot(spec.beta * market.sigma, own.sigma)

    def _prices(
        self, kind: MarketKind, spec: SymbolSpec, day: int, path: tuple[Floats, Floats]
    ) -> tuple[Ints, Ints, Ints, Ints]:
        """Open, high, low, close in ticks; extremes drawn as those of a Brownian bridge."""
        log, sigma = path
        rng = stream(self.seed, "extremes", kind, spec.name, day)
        squared = (
            -2.0
            * np.log1p(-rng.random((2, DAY_MINUTES)))
            * (self.settings.extra_range * sigma) ** 2
        )
        middle, move = (log[1:] + log[:-1]) / 2.0, np.diff(log)
        reach = np.sqrt(move**2 + squared) / 2.0
        tick = float(spec.tick)
        edges = np.maximum(np.rint(np.exp(log) / tick), 1.0).astype(np.int64)
        tops = np.rint(np.exp(middle + reach[0]) / tick).astype(np.int64)
        bottoms = np.rint(np.exp(middle - reach[1]) / tick).astype(np.int64)
        opens, closes = edges[:-1], edges[1:]
        highs = np.maximum(tops, np.maximum(opens, closes))
        lows = np.minimum(np.maximum(bottoms, 1), np.minimum(opens, closes))
        return opens, highs, lows, closes

    def _volume(
        self, kind: MarketKind, spec: SymbolSpec, day: int, path: tuple[Floats, Floats]
    ) -> Floats:
        """Quote volume of each minute in USDT: responds to volatility and to the minute's move."""
        settings, (log, sigma) = self.settings, path
        typical = np.hypot(spec.beta * settings.market_daily_volatility, spec.own_volatility)
        heat = (sigma * np.sqrt(DAY_MINUTES) / typical) ** settings.volume_response
        move = 1.0 + settings.return_to_volume * np.abs(np.diff(log)) / sigma
        noise = stream(self.seed, "volume", kind, spec.name, day).standard_normal(DAY_MINUTES)
        base = spec.daily_volume_usd / DAY_MINUTES
        volume: Floats = base * heat * move * np.exp(settings.volume_noise * noise)
        return volume

    def _taker_buy(
        self, kind: MarketKind, spec: SymbolSpec, day: int, flow: tuple[Floats, Floats]
    ) -> Ints:
        """Return the steps bought by takers: half of the volume, shifted by the minute's return."""
        returns, steps = flow
        noise = stream(self.seed, "taker", kind, spec.name, day).standard_normal(DAY_MINUTES)
        tilt = np.tanh(returns / 2.0) * 2.0 * self.settings.return_to_taker
        share = np.clip(0.5 + tilt + self.settings.taker_noise * noise, *_TAKER_BOUNDS)
        bought: Ints = np.clip(np.rint(share * steps), 1, steps - 1).astype(np.int64)
        return bought

    def _basis(self, name: str, day: int) -> Floats:
        """Log of futures over spot at the day's 1,441 edges: slow, and higher in an uptrend."""
        settings = self.settings
        shocks = self._basis_shocks(name, day)
        windows = np.lib.stride_tricks.sliding_window_view(shocks, _BASIS_TAPS)
        anchors = self._factor("market").log_at_days()
        index = day - self._epoch_day
        # the move of the day before, reached from the one before that: nothing of today
        trend = np.interp(np.arange(25) / 24.0, (0.0, 1.0), np.diff(anchors[index - 2 : index + 1]))
        knots = settings.basis_bps + settings.basis_trend_bps * trend
        knots = knots + settings.basis_spread_bps * windows.mean(axis=1) * np.sqrt(_BASIS_TAPS)
        basis: Floats = np.interp(np.arange(DAY_MINUTES + 1) / 60.0, np.arange(25), knots)
        return _BPS * basis

    def _basis_shocks(self, name: str, day: int) -> Floats:
        days = (day - 1, day, day + 1)
        drawn = [stream(self.seed, "basis", name, each).standard_normal(24) for each in days]
        together: Floats = np.concatenate(drawn)[24 - _BASIS_TAPS + 1 : 49]
        return together

    def _factor(self, name: str) -> Factor:
        factor = self._factors.get(name)
        if factor is None:
            own = self.symbols[name]["futures"].own_volatility if name in self.symbols else None
            volatility = self.settings.market_daily_volatility if own is None else own
            factor = Factor(self.settings, self.seed, name, volatility)
            self._factors[name] = factor
        return factor

    def _factor_day(self, name: str, day: int) -> FactorDay:
        key = (name, day)
        made = self._factor_days.get(key)
        if made is None:
            made = self._factor(name).day(day - self._epoch_day)
            self._factor_days[key] = made
            if len(self._factor_days) > self.settings.cached_days:
                self._factor_days.popitem(last=False)
        return made

"""Latent log-price paths: the common market factor and each symbol's own one.

A factor is anchored at day boundaries. Daily shocks come from one long random stream, are summed
with mild mean reversion, and a day's minutes are a bridge between its two anchors whose clock is
variance: conditional on its ends it is the same process as without them. Trends, chop, volatile
spells (`regimes`), volatility that clusters over hours and minutes, and rare jumps are laid on it.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from external_layers.replay.generator_settings import GeneratorSettings
from external_layers.replay.minutes import DAY_MINUTES, Floats, Ints
from external_layers.replay.randomness import stream

_HOURS = 24
_CHOP = 2  # position of chop in `regime_odds`
_CHOP_MINUTES = 60
_DRIFT_SIGN = np.array([1.0, -1.0, 0.0, 0.0])
_MEMORY = 1e-4  # weight at which a moving-average filter is cut off
_BURST_MINUTES = 15


@dataclass(frozen=True, slots=True, eq=False)
class FactorDay:
    """A factor on one day: `log` at the 1,441 minute edges, `sigma` of the 1,440 minutes."""

    log: Floats
    sigma: Floats


class Factor:
    """One latent path, a pure function of settings, seed and name; day 0 is the epoch."""

    def __init__(
        self, settings: GeneratorSettings, seed: int, name: str, daily_volatility: float
    ) -> None:
        self._settings = settings
        self._seed = seed
        self._name = name
        self._daily = daily_volatility

    def day(self, day: int) -> FactorDay:
        """Return the factor on a day after the epoch (0 <= day < horizon - 1)."""
        hours = slice(day * _HOURS, (day + 1) * _HOURS)
        sigma = self._minute_sigma(day)
        is_chop = np.repeat(self._is_chop[hours], DAY_MINUTES // _HOURS)
        noise = _running_sum(self._returns(day, sigma, is_chop))
        known = self._known_moves(day)
        variance = _running_sum(sigma**2)
        target = self._anchors[day + 1] - self._anchors[day] - known[-1]
        bridged = noise - variance / variance[-1] * (noise[-1] - target)
        return FactorDay(log=self._anchors[day] + known + bridged, sigma=sigma)

    def log_at_days(self) -> Floats:
        """Return the log deviation at every day boundary, shape (horizon,)."""
        return self._anchors

    def _returns(self, day: int, sigma: Floats, is_chop: np.ndarray) -> Floats:
        degrees = self._settings.tail_degrees
        shocks = stream(self._seed, "returns", self._name, day).standard_t(degrees, DAY_MINUTES)
        returns: Floats = shocks * np.sqrt((degrees - 2.0) / degrees) * sigma
        edges = _running_sum(returns)[:-1]
        behind = np.maximum(np.arange(DAY_MINUTES) - _CHOP_MINUTES, 0)
        pull = self._settings.chop_pull * (edges - edges[behind]) / _CHOP_MINUTES
        return returns - np.where(is_chop, pull, 0.0)

    def _known_moves(self, day: int) -> Floats:
        """Drift and jump since the day's start at the 1,441 edges."""
        edges = day * DAY_MINUTES + np.arange(DAY_MINUTES + 1)
        drift = np.interp(edges / 60.0, np.arange(len(self._drift)), self._drift)
        size, minute = self._jumps
        jumped = np.where(edges > minute[day] + edges[0], size[day], 0.0)
        known: Floats = drift - drift[0] + jumped
        return known

    def _minute_sigma(self, day: int) -> Floats:
        hour = day * _HOURS + np.arange(DAY_MINUTES) / 60.0
        hours = np.arange(day * _HOURS - 1, (day + 1) * _HOURS + 1).clip(0)
        slow = np.interp(hour, hours + 0.5, self._hour_sigma[hours])
        shape = np.repeat(self._settings.hourly_volatility, DAY_MINUTES // _HOURS)
        bursts = stream(self._seed, "bursts", self._name, day).standard_normal(
            DAY_MINUTES // _BURST_MINUTES
        )
        fast = np.exp(self._settings.burst_spread * np.repeat(bursts, _BURST_MINUTES))
        sigma: Floats = slow * shape * fast / np.sqrt(60.0)
        return sigma

    @cached_property
    def _regime(self) -> Ints:
        """Regime of every hour, from a renewal process with gamma lengths."""
        settings = self._settings
        hours = settings.horizon_days * _HOURS
        count = int(4 * hours / settings.regime_hours)
        rng = stream(self._seed, "regimes", self._name)
        scale = settings.regime_hours / settings.regime_shape
        ends = np.cumsum(rng.gamma(settings.regime_shape, scale, count))
        odds = np.array(settings.regime_odds)
        kinds = rng.choice(len(odds), size=count + 1, p=odds / odds.sum())
        chosen: Ints = kinds[np.searchsorted(ends, np.arange(hours) + 0.5)]
        return chosen

    @cached_property
    def _is_chop(self) -> np.ndarray:
        chop: np.ndarray = self._regime == _CHOP
        return chop

    @cached_property
    def _hour_sigma(self) -> Floats:
        settings = self._settings
        shocks = stream(self._seed, "volatility", self._name).standard_normal(len(self._regime))
        persistence = settings.volatility_persistence
        level = _decaying_sum(shocks, persistence) * np.sqrt(1.0 - persistence**2)
        multiplier = np.array(settings.regime_volatility)[self._regime]
        hourly: Floats = self._daily / np.sqrt(_HOURS) * multiplier
        clusters: Floats = np.exp(settings.volatility_spread * level)
        return hourly * clusters

    @cached_property
    def _drift(self) -> Floats:
        """Cumulative trend drift at every hour edge."""
        hourly = self._settings.trend_strength * self._daily / _HOURS
        return _running_sum(_DRIFT_SIGN[self._regime] * hourly)

    @cached_property
    def _jumps(self) -> tuple[Floats, Ints]:
        """Size (0 on most days) and minute of each day's jump."""
        settings = self._settings
        rng = stream(self._seed, "jumps", self._name)
        days = settings.horizon_days
        occurs = rng.random(days) < settings.jump_odds
        size = np.exp(0.5 * rng.standard_normal(days)) * settings.jump_size * self._daily
        sign = np.where(rng.random(days) < 0.5, -1.0, 1.0)
        return np.where(occurs, sign * size, 0.0), rng.integers(0, DAY_MINUTES, days)

    @cached_property
    def _anchors(self) -> Floats:
        settings = self._settings
        shape = np.tile(settings.hourly_volatility, settings.horizon_days)
        variance = ((self._hour_sigma * shape) ** 2).reshape(-1, _HOURS).sum(axis=1)
        burst = np.exp(2.0 * settings.burst_spread**2)  # E[exp(2 s z)] of the bursts
        shocks = stream(self._seed, "days", self._name).standard_normal(settings.horizon_days)
        drift = np.diff(self._drift[::_HOURS])
        moves = shocks * np.sqrt(variance * burst) + drift + self._jumps[0]
        return _running_sum(_decaying_moves(moves, settings.daily_persistence))


def _running_sum(values: Floats) -> Floats:
    return np.concatenate(([0.0], np.cumsum(values)))


def _decaying_sum(values: Floats, persistence: float) -> Floats:
    """Sum of the past weighted by ``persistence ** age``, as a finite filter."""
    taps = int(np.log(_MEMORY) / np.log(persistence))
    return np.convolve(values, persistence ** np.arange(taps))[: len(values)]


def _decaying_moves(moves: Floats, persistence: float) -> Floats:
    """Return the steps of the mean-reverting sum of the moves."""
    return np.diff(_decaying_sum(moves, persistence), prepend=0.0)

"""Recorded candles: a folder of Freqtrade feather files as a source of minutes.

Expected are ``DIR/futures/BTC_USDT_USDT-5m-futures.feather`` (and ``-1m``, ``-15m``, ``-1h``),
``DIR/futures/BTC_USDT_USDT-<timeframe>-funding_rate.feather`` and ``DIR/BTC_USDT-5m.feather`` for
spot. Each day is made from the finest timeframe that covers it; minutes below it are made up.
Mark prices are derived from the candles.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import numpy as np
from pyarrow import feather

from external_layers.binance.messages import MarketKind
from external_layers.replay.candles import INTERVALS
from external_layers.replay.day_blocks import DayBlocks, shared_out
from external_layers.replay.minutes import DAY_MINUTES, MINUTE_MS, Floats, Ints, Minutes
from external_layers.replay.refinement import Bars, refined
from external_layers.replay.specs_from_data import spec_of
from external_layers.replay.symbols import KINDS, QUOTE, SymbolSpec
from scalp_strategy.errors import ConfigError

_FUTURES_FILE: Final = re.compile(r"(\w+)_USDT_USDT-(\w+)-futures\.feather")
_SPOT_FILE: Final = re.compile(r"(\w+)_USDT-(\w+)\.feather")
_HOUR_MINUTES: Final = 60
_CACHED_DAYS: Final = 500
_STANDSTILL_DAYS: Final = 366  # flat candles without trades follow the last recorded one


class Alignment(StrEnum):
    """How exactly a recording may be moved in time."""

    DAY = "day"
    HOUR = "hour"


@dataclass(frozen=True, slots=True)
class Recording:
    """One symbol's file: its timeframe in minutes and candles on a gapless grid."""

    step_minutes: int
    bars: Bars

    @property
    def first_minute(self) -> int:
        """Minute of the first candle."""
        return int(self.bars.minute[0])

    @property
    def end_minute(self) -> int:
        """First minute after the last candle."""
        return int(self.bars.minute[-1]) + self.step_minutes

    def day(self, day: int) -> Bars:
        """Return the candles of a UTC day; after the end flat ones without volume."""
        start = day * DAY_MINUTES
        grid = np.arange(max(start, self.first_minute), start + DAY_MINUTES, self.step_minutes)
        place = np.minimum(
            (grid - self.first_minute) // self.step_minutes, len(self.bars.minute) - 1
        )
        is_there = grid < self.end_minute
        close = self.bars.close[place]
        return Bars(
            grid,
            np.where(is_there, self.bars.open[place], close),
            np.where(is_there, self.bars.high[place], close),
            np.where(is_there, self.bars.low[place], close),
            close,
            np.where(is_there, self.bars.volume[place], 0.0),
        )


class RecordedMarket(DayBlocks):
    """A `MinuteSource` of recorded candles, in the recording's own time.

    Parameters
    ----------
    folder
        Freqtrade's data folder of an exchange.
    seed
        Key of what recordings do not have: trades, order books, minutes below the base.
    names
        Symbols to offer; None for all found.

    Raises
    ------
    ConfigError
        When the folder has no usable candles.
    """

    def __init__(self, folder: Path, seed: int, names: list[str] | None = None) -> None:
        self._files = _candle_files(folder)
        found = sorted({name for _, name in self._files})
        chosen = found if names is None else names
        if not chosen or set(chosen) - set(found):
            missing = ", ".join(sorted(set(chosen) - set(found))) or "any symbol"
            raise ConfigError(
                f"no candles of {missing} in {folder}: looked for "
                f"futures/BTC_USDT_USDT-5m-futures.feather "
                f"and BTC_USDT-5m.feather (any base, 1m to 1d); found {found or 'none'}"
            )
        self._recordings = {
            key: _layers(files) for key, files in self._files.items() if key[1] in chosen
        }
        symbols = {name: self._specs(name) for name in chosen}
        super().__init__(seed, symbols, _CACHED_DAYS)
        self.synthetic_below = {
            name: _name_of(self._layers_of("futures", name)[-1].step_minutes)
            for name in chosen
            if max(each.step_minutes for each in self._layers_of("futures", name)) > 1
        }
        self._funding = {name: _funding(folder, name) for name in chosen}

    def first_minute(self, kind: MarketKind, name: str) -> int:
        """Return the minute of the first candle."""
        return min(each.first_minute for each in self._layers_of(kind, name))

    def last_minute(self, kind: MarketKind, name: str) -> int:
        """Return the end of the time for which a recording that is over stands still."""
        end = max(each.end_minute for each in self._layers_of(kind, name))
        return end + _STANDSTILL_DAYS * DAY_MINUTES

    def funding_rates(self, name: str) -> tuple[Ints, Floats] | None:
        """Return recorded funding (time in ms, rate), None when there is no file."""
        return self._funding[name]

    def shift_to_end_at(self, ends_at: int, alignment: Alignment) -> int:
        """Return the minutes from wall time to the recording's time.

        The recording then ends at `ends_at` (ms) or after it by less than a day or an hour: time
        of day, or at least the minute of the hour, stays what it was.
        """
        end = max(each.end_minute for layers in self._recordings.values() for each in layers)
        unit = DAY_MINUTES if alignment is Alignment.DAY else _HOUR_MINUTES
        return (end - ends_at // MINUTE_MS) // unit * unit

    def make_block(self, kind: MarketKind, name: str, day: int) -> Minutes:
        """Return the one-minute candles of a UTC day; below the base they are made up."""
        recording, spec = self._recording(kind, name, day), self.symbols[name][kind]
        fine = refined(
            recording.day(day), spec, (recording.step_minutes, self.seed, f"{kind}:{name}:{day}")
        )
        trades = np.minimum(
            shared_out(np.sqrt(fine.volume), self.trades_per_day(kind, name)), fine.volume
        )
        first_id = self.trades_per_day(kind, name) * day + np.cumsum(trades) - trades
        return Minutes(
            fine.minute, fine.open, fine.high, fine.low, fine.close,
            fine.volume, fine.taker_buy, trades, first_id,
        )  # fmt: skip

    def _recording(self, kind: MarketKind, name: str, day: int) -> Recording:
        """Return the finest recording that covers a day, else the one that ends last."""
        layers = self._layers_of(kind, name)
        start = max(day * DAY_MINUTES, min(each.first_minute for each in layers))
        stop = min((day + 1) * DAY_MINUTES, max(each.end_minute for each in layers))
        covering = (
            each for each in layers if each.first_minute <= start and each.end_minute >= stop
        )
        return next(covering, max(layers, key=lambda each: each.end_minute))

    def _layers_of(self, kind: MarketKind, name: str) -> list[Recording]:
        """Return the market's own recordings, finest first, or the other market's."""
        other: MarketKind = "futures" if kind == "spot" else "spot"
        own = self._recordings.get((kind, name))
        return own if own is not None else self._recordings[other, name]

    def _specs(self, name: str) -> dict[MarketKind, SymbolSpec]:
        return {kind: spec_of(name, kind, self._layers_of(kind, name)[0].bars) for kind in KINDS}


def ends_at_ms(text: str, now_ms: int) -> int:
    """Return an instant in ms from ISO text (UTC unless it says otherwise) or ``"now"``.

    Raises
    ------
    ConfigError
        When the text is neither.
    """
    if text == "now":
        return now_ms
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f"--ends-at {text!r} is neither 'now' nor an ISO time") from error
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)
    return round(instant.timestamp() * 1_000)


def _candle_files(folder: Path) -> dict[tuple[MarketKind, str], dict[int, Path]]:
    """Return the candle files of each symbol by their minutes."""
    patterns: tuple[tuple[MarketKind, Path, re.Pattern[str]], ...] = (
        ("futures", folder / "futures", _FUTURES_FILE),
        ("spot", folder, _SPOT_FILE),
    )
    found: dict[tuple[MarketKind, str], dict[int, Path]] = {}
    for kind, place, pattern in patterns:
        for path in sorted(place.glob("*.feather")):
            match = pattern.fullmatch(path.name)
            minutes = INTERVALS.get(match[2], DAY_MINUTES + 1) if match else DAY_MINUTES + 1
            if match and minutes <= DAY_MINUTES:
                found.setdefault((kind, match[1] + QUOTE), {})[minutes] = path
    return found


def _layers(files: dict[int, Path]) -> list[Recording]:
    """Return recordings finest first, without those that add less than a day to a finer one."""
    layers: list[Recording] = []
    for minutes in sorted(files):
        recording = _read(files[minutes], minutes)
        if not any(
            finer.first_minute <= recording.first_minute + DAY_MINUTES
            and finer.end_minute >= recording.end_minute - DAY_MINUTES
            for finer in layers
        ):
            layers.append(recording)
    return layers


def _read(path: Path, step_minutes: int) -> Recording:
    """Candles on a gapless grid; a missing one is flat at the last close, without volume."""
    columns = ("date", "open", "high", "low", "close", "volume")
    try:
        table = feather.read_table(path, columns=list(columns))
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError(f"cannot read candles from {path}: {error}") from error
    if not table.num_rows:
        raise ConfigError(f"{path} holds no candles")
    minute = _minutes_of(table.column("date"))
    prices = {name: table.column(name).to_numpy().astype(np.float64) for name in columns[1:]}
    grid = np.arange(minute[0], minute[-1] + 1, step_minutes, dtype=np.int64)
    place = np.searchsorted(minute, grid, side="right") - 1
    is_there = minute[place] == grid
    close = prices["close"][place]
    return Recording(
        step_minutes,
        Bars(
            grid,
            np.where(is_there, prices["open"][place], close),
            np.where(is_there, prices["high"][place], close),
            np.where(is_there, prices["low"][place], close),
            close,
            np.where(is_there, prices["volume"][place], 0.0),
        ),
    )


def _funding(folder: Path, name: str) -> tuple[Ints, Floats] | None:
    base = name.removesuffix(QUOTE)
    paths = sorted((folder / "futures").glob(f"{base}_USDT_USDT-*-funding_rate.feather"))
    if not paths:
        return None
    table = feather.read_table(paths[0], columns=["date", "open"])
    times = _minutes_of(table.column("date")) * MINUTE_MS
    return times, table.column("open").to_numpy().astype(np.float64)


def _minutes_of(column: Any) -> Ints:
    dates: np.ndarray = column.to_numpy()
    minutes: Ints = dates.astype("datetime64[m]").astype(np.int64)
    return minutes


def _name_of(step_minutes: int) -> str:
    return next(name for name, length in INTERVALS.items() if length == step_minutes)

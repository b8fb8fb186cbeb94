"""Where the past of the slow layers comes from: files of the user, else the sources themselves."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
from pyarrow import feather

from external_layers.binance.messages import MarketKind
from external_layers.history.series_files import read_series
from external_layers.sentiment.trend import Candles15m
from external_layers.sources import defillama, fear_greed, fred
from external_layers.sources.facts import (
    BTC_DOMINANCE,
    DOLLAR_INDEX,
    FEAR_GREED,
    MARKET,
    SP500,
    STABLECOIN_SUPPLY,
    TOTAL_CAP,
    TREASURY_10Y,
    VIX,
    Reading,
)
from external_layers.sources.spec import Client, FetchContext, SourceSpec
from scalp_strategy.contract import CANDLE_MS
from scalp_strategy.errors import ConfigError, ScalpError
from scalp_strategy.setting_groups.history import SeriesDelays

FILE_SUBJECT: Final = "file"  # so that changes are never reckoned from one source to another
MACRO: Final = (SP500, DOLLAR_INDEX, TREASURY_10Y, VIX)
DAILY: Final[dict[str, tuple[str, ...]]] = {
    "onchain": (STABLECOIN_SUPPLY,),
    "sentiment": (FEAR_GREED, BTC_DOMINANCE, TOTAL_CAP, *MACRO),
}
# How far before the first day a macro value may have been observed that still counts on it: the
# broad dollar index is a week late, and a move goes from one value to the next.
_MACRO_REACH: Final = timedelta(days=21)
_CANDLES: Final[dict[MarketKind, str]] = {
    "futures": "futures/BTC_USDT_USDT-15m-futures.feather",
    "spot": "BTC_USDT-15m.feather",
}


class Span(NamedTuple):
    """First and last UTC day that are wanted."""

    first: date
    last: date


FetchPast = Callable[[Client, FetchContext, Span, SeriesDelays], Awaitable[Sequence[Reading]]]


@dataclass(frozen=True, slots=True)
class Past:
    """A source that still has its past, and the series that it gives."""

    spec: SourceSpec
    series: tuple[str, ...]
    fetch: FetchPast


async def _fear_greed(
    client: Client, _context: FetchContext, _span: Span, delays: SeriesDelays
) -> Sequence[Reading]:
    return await fear_greed.fetch_history(client, delays.fear_greed)


async def _stablecoins(
    client: Client, _context: FetchContext, _span: Span, delays: SeriesDelays
) -> Sequence[Reading]:
    reply = await client.get(defillama.CHART)
    return defillama.history(reply.json(), delays.stablecoin_supply)


async def _macro(
    client: Client, context: FetchContext, span: Span, _delays: SeriesDelays
) -> Sequence[Reading]:
    return await fred.fetch_history(client, context, span.first - _MACRO_REACH, span.last)


PASTS: Final[tuple[Past, ...]] = (
    Past(fear_greed.SPEC, (FEAR_GREED,), _fear_greed),
    Past(defillama.SPEC, (STABLECOIN_SUPPLY,), _stablecoins),
    Past(fred.SPEC, MACRO, _macro),
)


@dataclass(slots=True)
class Gathered:
    """What was had, and what was not and why, by series."""

    readings: list[Reading]
    missing: dict[str, str]


def series_of(layers: Collection[str]) -> tuple[str, ...]:
    """Return the daily series that layers are made from."""
    return tuple(series for layer in layers for series in DAILY[layer])


async def gathered(
    files: Mapping[str, Sequence[Path]],
    layers: Collection[str],
    span: Span,
    delays: SeriesDelays,
    clients: Callable[[SourceSpec], tuple[Client, FetchContext] | str],
) -> Gathered:
    """Return the readings of every daily series that can be had.

    Parameters
    ----------
    files
        The user's own, by series: they are read instead of asking the source.
    layers
        Those that are wanted.
    span
        Days that are wanted.
    delays
        From a daily value to when it counts as known.
    clients
        Gives client and context of a source, or says why it is not asked.

    Raises
    ------
    ConfigError
        A file cannot be read.
    """
    found = Gathered([], {})
    for series, paths in files.items():
        for path in paths:
            subject = FILE_SUBJECT if series in MACRO else MARKET
            found.readings += read_series(path, series, subject, getattr(delays, series))
    asked = [series for series in series_of(layers) if series not in files]
    for past in PASTS:
        wanted = [series for series in past.series if series in asked]
        if wanted:
            await _ask(past, wanted, (span, delays), clients, found)
    for series in (BTC_DOMINANCE, TOTAL_CAP):
        if series in asked:
            found.missing[series] = f"no free source keeps it: give --series {series}=FILE"
    return found


async def _ask(
    past: Past,
    wanted: Sequence[str],
    how: tuple[Span, SeriesDelays],
    clients: Callable[[SourceSpec], tuple[Client, FetchContext] | str],
    found: Gathered,
) -> None:
    asked = clients(past.spec)
    if isinstance(asked, str):
        found.missing |= dict.fromkeys(wanted, f"{past.spec.name}: {asked}")
        return
    try:
        readings = await past.fetch(*asked, *how)
    except ScalpError as error:
        found.missing |= dict.fromkeys(wanted, str(error))
        return
    found.readings += [one for one in readings if one.series in wanted]


def btc_candles(folder: Path, kind: MarketKind) -> Candles15m:
    """Return the closed 15m candles of BTC from Freqtrade's data folder.

    Raises
    ------
    ConfigError
        When the file is not there or holds no candles; it says how to get them.
    """
    path = folder / _CANDLES[kind]
    try:
        table = feather.read_table(path, columns=["date", "high", "low", "close"])
        dates = table["date"].cast(pa.timestamp("ms", "UTC")).cast(pa.int64())
    except (OSError, pa.ArrowException, KeyError, ValueError) as error:
        raise ConfigError(
            f"--candles {folder}: {path} cannot be read ({type(error).__name__}); "
            "freqtrade download-data --pairs BTC/USDT:USDT --timeframes 15m makes it"
        ) from error
    columns = [dates, *(table[name] for name in ("high", "low", "close"))]
    opens, high, low, close = (column.to_numpy() for column in columns)
    is_sound = np.isfinite(high) & np.isfinite(low) & np.isfinite(close) & (low > 0)
    arrays = (array[is_sound].astype(np.float64) for array in (high, low, close))
    return Candles15m(opens[is_sound].astype(np.int64) + CANDLE_MS, *arrays)

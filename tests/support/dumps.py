"""The exchange's daily files, made of the generated market: zips with CSVs and checksums."""

import hashlib
import io
import zipfile
from collections.abc import Iterable
from datetime import date, timedelta
from functools import cache
from pathlib import Path

import numpy as np

from external_layers.history.dumps import DumpKind, dump_path, instrument_of
from external_layers.replay.derivatives import Derivatives
from external_layers.replay.generator import GeneratedMarket
from external_layers.replay.intraminute import Trades
from external_layers.replay.market import ReplayMarket
from external_layers.replay.rest_market import kline_rows, trade_rows
from scalp_strategy.contract.archive import day_start_ms

PAIR = "PHB/USDT:USDT"  # the quietest: eight trades a minute
SYMBOL = "PHBUSDT"
FIRST_DAY = date(2025, 6, 1)
MINUTE_MS = 60_000
TRADE_HEADER = (
    "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker"
)
KLINE_HEADER = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,"
    "taker_buy_quote_volume,ignore"
)
METRICS_HEADER = (
    "create_time,symbol,sum_open_interest,sum_open_interest_value,"
    "count_toptrader_long_short_ratio,sum_toptrader_long_short_ratio,"
    "count_long_short_ratio,sum_taker_long_short_vol_ratio"
)
FUNDING_HEADER = "calc_time,funding_interval_hours,last_funding_rate"


def day_number(number: int) -> date:
    """Return the day so many days after the first."""
    return FIRST_DAY + timedelta(days=number)


@cache
def market() -> ReplayMarket:
    """A generated market, long after the days of the files."""
    return ReplayMarket(GeneratedMarket(7, [SYMBOL]), lambda: 1_790_000_130_250)


@cache
def trade_lines(day: date) -> tuple[str, ...]:
    """Aggregate trades of a day as the files have them, without a header."""
    spec = market().spec("futures", SYMBOL)
    first = day_start_ms(day) // MINUTE_MS
    minutes = (
        market().trades_of_minute("futures", SYMBOL, minute)
        for minute in range(first, first + 1_440)
    )
    rows = trade_rows(_joined(minutes), spec, is_spot=False)
    return tuple(
        f"{row['a']},{row['p']},{row['q']},{row['f']},{row['l']},{row['T']},{str(row['m']).lower()}"
        for row in rows
    )


def kline_lines(day: date) -> list[str]:
    """One-minute candles of a day."""
    start = day_start_ms(day)
    span = (start, start + 86_400_000)
    candles = market().candles("futures", SYMBOL, "1m", span)
    rows = kline_rows(candles, market().spec("futures", SYMBOL), 5)
    return [",".join(map(str, row)) for row in rows]


def metrics_lines(day: date) -> list[str]:
    """Open interest every five minutes, newest first: real files are not always in order."""
    times = day_start_ms(day) + 300_000 * np.arange(1, 289)
    amounts = Derivatives(market()).open_interest(SYMBOL, times)
    texts = np.datetime_as_string(times.astype("datetime64[ms]"), unit="s")
    return [
        f"{text.replace('T', ' ')},{SYMBOL},{amount:.8f},1.0,1.0,1.0,,1.0"
        for text, amount in zip(reversed(texts.tolist()), reversed(amounts.tolist()), strict=True)
    ]


def funding_lines(days: Iterable[date]) -> list[str]:
    """Settlements every eight hours, a few milliseconds late as in real files."""
    return [
        f"{day_start_ms(day) + hour * 3_600_000 + 7},8,{0.0001 * (hour - 6):.8f}"
        for day in days
        for hour in (0, 8, 16)
    ]


def write_dump(
    root: Path, kind: DumpKind, day: date, lines: Iterable[str], *, checksum: bool = True
) -> Path:
    """Write a zip in the exchange's layout, with its checksum, and return its path."""
    path = root / dump_path(instrument_of(PAIR), kind, day)
    path.parent.mkdir(parents=True, exist_ok=True)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(path.with_suffix(".csv").name, "\n".join(lines) + "\n")
    path.write_bytes(packed.getvalue())
    if checksum:
        digest = hashlib.sha256(packed.getvalue()).hexdigest()
        path.with_name(path.name + ".CHECKSUM").write_text(f"{digest}  {path.name}\n")
    return path


def write_days(root: Path, days: Iterable[date]) -> Path:
    """Write trades, open interest and funding of some days of one month."""
    chosen = list(days)
    for day in chosen:
        write_dump(root, DumpKind.AGG_TRADES, day, [TRADE_HEADER, *trade_lines(day)])
        write_dump(root, DumpKind.METRICS, day, [METRICS_HEADER, *metrics_lines(day)])
    month = [FUNDING_HEADER, *funding_lines(chosen)]
    write_dump(root, DumpKind.FUNDING_RATE, chosen[0], month)
    return root


def _joined(parts: Iterable[Trades]) -> Trades:
    columns = zip(
        *((part.time_ms, part.price, part.amount, part.is_buy, part.id) for part in parts),
        strict=True,
    )
    return Trades(*(np.concatenate(column) for column in columns))

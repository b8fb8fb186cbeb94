"""Files of one pair, parsed, with what was read of each; the last few are kept at hand."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Final

from external_layers.history.dumps import DumpKind, Instrument, dump_path
from external_layers.history.ledger import FileUse
from external_layers.history.parsing import (
    parse_agg_trades,
    parse_book_depth,
    parse_funding_rates,
    parse_klines,
    parse_metrics,
)
from external_layers.history.source import DumpSource
from external_layers.history.tables import Table, unzipped

PARSERS: Final[dict[DumpKind, Callable[[bytes, str], Table]]] = {
    DumpKind.AGG_TRADES: parse_agg_trades,
    DumpKind.KLINES_1M: parse_klines,
    DumpKind.KLINES_5M: parse_klines,
    DumpKind.METRICS: parse_metrics,
    DumpKind.BOOK_DEPTH: parse_book_depth,
    DumpKind.FUNDING_RATE: parse_funding_rates,
}
_KEPT: Final = 6  # trades, open interest and funding: what a day and the next have in common


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """A file's columns and what is noted of it."""

    table: Table
    use: FileUse


class DumpFiles:
    """Reads and parses files of a source.

    Parameters
    ----------
    source
        Where they come from.
    """

    def __init__(self, source: DumpSource) -> None:
        self._source = source
        self._kept: OrderedDict[str, Loaded | None] = OrderedDict()

    def load(self, instrument: Instrument, kind: DumpKind, day: date) -> Loaded | None:
        """Return a day's file (its month's, where files are monthly), None when there is none.

        Raises
        ------
        PayloadError
            When it is damaged: names the file.
        SourceUnavailable
            When it cannot be had now.
        """
        if not instrument.has(kind):
            return None
        path = dump_path(instrument, kind, day)
        if path not in self._kept:
            self._kept[path] = self._read(path, kind)
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(path)
        return self._kept[path]

    def _read(self, path: str, kind: DumpKind) -> Loaded | None:
        dump = self._source.read(path)
        if dump is None:
            return None
        table = PARSERS[kind](unzipped(dump.content, dump.name), dump.name)
        use = FileUse(
            name=dump.name,
            sha256=dump.sha256,
            is_verified=dump.is_verified,
            rows=len(table),
            dropped=table.dropped,
        )
        return Loaded(table, use)

"""The memory of outcomes on disk: one Parquet file, replaced in one step."""

import hashlib
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from scalp_strategy.base_rate.outcomes import NOT_RESOLVED, Occurrences
from scalp_strategy.base_rate.setups import GROUPS, SETUP_LABELS
from scalp_strategy.errors import PayloadError
from scalp_strategy.files import replace_file, set_aside
from scalp_strategy.settings import Settings
from scalp_strategy.technical.arrays import IntArray

logger = logging.getLogger(__name__)

_VERSION: Final = 1
_MARK: Final = b"scalp_base_rate"
_UNRESOLVED: Final = -1
_SCHEMA: Final = pa.schema(
    [
        ("pair", pa.dictionary(pa.int32(), pa.string())),
        ("candle", pa.int64()),
        ("group", pa.int64()),
        ("candles_held", pa.int64()),
        ("gross_r", pa.float64()),
        ("net_r", pa.float64()),
    ]
)
_DAMAGED: Final = (pa.ArrowException, OSError, ValueError, TypeError, KeyError, PayloadError)


def fingerprint(settings: Settings) -> str:
    """Return twelve hexadecimal digits that name all that an occurrence and its result depend on.

    Indicators, patterns, plan, ladder, cost and the tercile's window; no weights, sizes or priors.
    """
    risk = settings.risk.model_dump(mode="json", exclude={"sizing"})
    parts = {
        "version": _VERSION,
        "setups": SETUP_LABELS,
        "technical": settings.technical.model_dump(mode="json", exclude={"weights"}),
        "risk": risk,
        "tercile_candles": settings.base_rate.tercile_candles,
        "lower_timeframes": settings.lower_timeframes,
    }
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


class MemoryFile:
    """Keeps occurrences by pair; a killed process or a full disk leaves the last good file.

    Parameters
    ----------
    path
        The file; its folder is made.
    made_with
        The `fingerprint` of the settings: a file made with others is not used.
    """

    def __init__(self, path: Path, made_with: str) -> None:
        self._path = path
        self._made_with = made_with

    def __str__(self) -> str:
        return str(self._path)

    def load(self) -> dict[str, Occurrences]:
        """Return what was saved; nothing when there is no file that can be used, and say why."""
        try:
            table = pq.read_table(self._path, partitioning=None)
            if not self._is_ours(table):
                logger.info("%s was made with other settings; it is made anew.", self._path)
                return {}
            return _by_pair(table.select(_SCHEMA.names).cast(_SCHEMA))
        except FileNotFoundError:
            return {}
        except _DAMAGED as error:
            set_aside(self._path, f"{type(error).__name__}: {error}"[:200])
            return {}

    def save(self, pairs: Mapping[str, Occurrences]) -> None:
        """Write everything anew.

        Raises
        ------
        StoreError
            When the disk refuses; the last good file stays.
        """
        table = _table(pairs).replace_schema_metadata({_MARK: self._made_with})
        body = pa.BufferOutputStream()
        pq.write_table(table, body, compression="zstd")
        replace_file(self._path, body.getvalue().to_pybytes())

    def _is_ours(self, table: pa.Table) -> bool:
        mark: bytes = (table.schema.metadata or {}).get(_MARK, b"")
        return mark.decode(errors="replace") == self._made_with


def _table(pairs: Mapping[str, Occurrences]) -> pa.Table:
    tables = [_pair_table(pair, occurrences) for pair, occurrences in sorted(pairs.items())]
    return pa.concat_tables(tables).unify_dictionaries() if tables else _SCHEMA.empty_table()


def _pair_table(pair: str, occurrences: Occurrences) -> pa.Table:
    has_ended = occurrences.resolved != NOT_RESOLVED
    held = np.where(has_ended, occurrences.resolved - occurrences.candle, _UNRESOLVED)
    name = pa.DictionaryArray.from_arrays(
        np.zeros(held.size, dtype=np.int32), pa.array([pair], pa.string())
    )
    columns = [name, occurrences.candle, occurrences.group, held]
    return pa.table([*columns, occurrences.gross_r, occurrences.net_r], schema=_SCHEMA)


def _by_pair(table: pa.Table) -> dict[str, Occurrences]:
    names = table.column("pair").to_pandas().to_numpy()
    numbers = {name: table.column(name).to_numpy() for name in _SCHEMA.names if name != "pair"}
    held = numbers["candles_held"]
    whole = Occurrences(
        numbers["candle"],
        numbers["group"],
        np.where(held == _UNRESOLVED, NOT_RESOLVED, numbers["candle"] + held),
        numbers["gross_r"],
        numbers["net_r"],
    )
    _check(whole, held)
    return {str(name): whole.part(np.flatnonzero(names == name)) for name in sorted(set(names))}


def _check(occurrences: Occurrences, held: IntArray) -> None:
    is_open = held == _UNRESOLVED
    candle, group = occurrences.candle, occurrences.group
    in_range = (group >= 0) & (group < GROUPS) & (candle > 0) & (candle < NOT_RESOLVED)
    has_result = np.isfinite(occurrences.gross_r) & np.isfinite(occurrences.net_r) & (held > 0)
    if not (in_range & (is_open | has_result)).all():
        raise PayloadError("values out of range")

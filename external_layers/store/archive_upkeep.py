"""What keeps the archive tidy: merging a day's files, removing what is left over or too old."""

import contextlib
import shutil
from pathlib import Path
from typing import Final

import pyarrow as pa

from external_layers.store.archive_files import (
    TEMPORARY,
    commit,
    days_in,
    files_in,
    fsync_folder,
    layers_in,
    read_file,
    span_of_rows,
    visible_in,
    write_temporary,
)
from external_layers.store.archive_table import FOREVER_MS
from external_layers.store.merge_plan import newest_to_merge, runs
from scalp_strategy.contract.archive import (
    day_path,
    layer_path,
    merged_name,
    span_of_file,
    visible,
)
from scalp_strategy.errors import PayloadError, StoreError
from scalp_strategy.setting_groups.store import ArchiveSettings

_EXPIRED: Final = "expired-"


class Merger:
    """Merge the files of a day; remember those that are damaged and leave them alone.

    A damaged file is never deleted nor covered by a merged one: only its neighbours on either
    side are merged.
    """

    def __init__(self, settings: ArchiveSettings) -> None:
        self._settings = settings
        self._damaged: set[Path] = set()

    def merge(self, folder: Path, is_over: bool) -> int:
        """Merge the files of a day's folder and return how many merged files were written.

        Parameters
        ----------
        folder
            The day's folder.
        is_over
            Whether the day has ended: then all its files become one.

        Raises
        ------
        OSError, StoreError
            When the disk refuses; every row stays where it was.
        """
        damaged = {path.name for path in self._damaged if path.parent == folder}
        return sum(
            self._merge_run(folder, run, is_over) for run in runs(visible_in(folder), damaged)
        )

    def _merge_run(self, folder: Path, run: list[str], is_over: bool) -> int:
        chosen = self._chosen(folder, run, is_over)
        if len(chosen) < 2:
            return 0
        tables = [table for name in chosen if (table := self._read(folder / name)) is not None]
        if len(tables) < len(chosen):
            return 0  # the next look merges what lies beside the damaged one
        spans = [span for name in chosen if (span := span_of_file(name))]
        name = merged_name(spans[0][0], spans[-1][1])
        table = pa.concat_tables(tables)
        commit(write_temporary(folder, name, table, self._settings.group_rows))
        fsync_folder(folder)
        delete_hidden(folder)
        return 1

    def _chosen(self, folder: Path, run: list[str], is_over: bool) -> list[str]:
        if is_over:
            return run
        if len(run) < self._settings.merge_parts:
            return []
        return run[newest_to_merge([(folder / name).stat().st_size for name in run]) :]

    def _read(self, path: Path) -> pa.Table | None:
        try:
            return read_file(path, None, 0, FOREVER_MS)
        except PayloadError:
            self._damaged.add(path)
            return None


def clean(root: Path) -> None:
    """Remove what a killed writer left: temporary files, merged parts, half-removed days.

    Raises
    ------
    StoreError
        When a folder cannot be listed.
    """
    for layer in layers_in(root):
        folder = root / layer_path(layer)
        for leftover in folder.glob(f"{_EXPIRED}*"):
            shutil.rmtree(leftover, ignore_errors=True)
        for day in days_in(folder):
            for temporary in (root / day_path(layer, day)).glob(f"*{TEMPORARY}"):
                remove_file(temporary)
            delete_hidden(root / day_path(layer, day))


def delete_hidden(folder: Path) -> None:
    """Delete the files that merged ones stand for, unless a merged one is damaged."""
    names = files_in(folder)
    shown = visible(names)
    hidden = [name for name in names if name not in shown]
    if hidden and all(_is_sound(folder / name) for name in shown):
        for name in hidden:
            remove_file(folder / name)


def remove_folder(folder: Path) -> None:
    """Remove a day's folder: for readers it goes at once, by a rename.

    Raises
    ------
    OSError
        When the disk refuses.
    """
    gone = folder.with_name(f"{_EXPIRED}{folder.name}")
    shutil.rmtree(gone, ignore_errors=True)
    folder.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


def remove_file(path: Path) -> None:
    """Delete a file if the disk lets it go; the next look tries again."""
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


def _is_sound(path: Path) -> bool:
    try:
        return span_of_rows(path)[0] > 0
    except (OSError, PayloadError, StoreError):
        return False

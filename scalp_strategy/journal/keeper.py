"""Who writes the journal: in the background, so that trading never waits for a database."""

import logging
import threading
from collections.abc import Callable, Iterable
from time import monotonic
from typing import Final

import msgspec

from scalp_strategy.errors import StoreError
from scalp_strategy.journal.records import Record, from_line, to_line
from scalp_strategy.journal.spool import Backlog, Spool
from scalp_strategy.journal.store import Journal, RowRefused
from scalp_strategy.journal.writer import apply

logger = logging.getLogger(__name__)

Chore = Callable[[], None]

_BATCH: Final = 500  # records of one transaction
_FIRST_PAUSE_S: Final = 1.0  # after a failure; each doubles it
_LONGEST_PAUSE_S: Final = 60.0
_LONGEST_CLAIM_S: Final = 30.0  # to wait for another program that writes the same records
_REASON_LENGTH: Final = 500


class Keeper:
    """Takes records at once and writes them later, each once in effect; any thread.

    A record goes to the spool on disk first, and a thread of its own takes the spool over into the
    database. Whatever is killed in between, the records are applied again and say the same. Nothing
    goes on by itself: without `pump` no thread is started.

    Parameters
    ----------
    journal
        The database.
    spool
        Where records wait.
    bot
        Whose records they are.
    clock
        Seconds of a clock that never goes back.
    """

    def __init__(
        self,
        journal: Journal,
        spool: Spool,
        bot: str,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.bot = bot
        self._journal, self._spool, self._clock = journal, spool, clock
        self._chores: list[Chore] = []
        self._failing: set[Chore] = set()
        self._thread: threading.Thread | None = None
        self._trouble: str | None = None
        self._pause_s = _FIRST_PAUSE_S
        self._rests_until_s = float("-inf")
        self._rejected = 0
        self._is_rejecting = False

    @property
    def problem(self) -> str | None:
        """Why the database is not written now, or the disk takes no records; None when all is well.

        Without any secret.
        """
        return self._trouble or self._spool.problem

    @property
    def rejected(self) -> int:
        """Records that could not be used and were put aside, since the start."""
        return self._rejected

    @property
    def dropped(self) -> int:
        """Records that were lost because neither disk nor memory took them, since the start."""
        return self._spool.dropped

    def record(self, record: Record) -> None:
        """Take a record; never raises, never waits for the database."""
        self.record_all([record])

    def record_all(self, records: Iterable[Record]) -> None:
        """Take records in their order; never raises, never waits for the database."""
        lines = []
        for record in records:
            try:
                lines.append(to_line(record))
            except Exception as error:  # noqa: BLE001 - trading goes on, whatever it holds
                self._refuse(repr(record).encode(errors="backslashreplace"), error)
        self._spool.append(lines)

    def add_chore(self, chore: Chore) -> None:
        """Do something in the background after each writing that succeeded.

        A chore that raises is logged once, until it succeeds again, and harms nothing.
        """
        self._chores.append(chore)

    def pump(self) -> None:
        """Start writing what waits, unless a writing is under way or the database needs a rest."""
        has_work = bool(self._chores) or not self._spool.is_empty
        if self.is_busy or not has_work or self._clock() < self._rests_until_s:
            return
        self._thread = threading.Thread(target=self._work, name="journal", daemon=True)
        self._thread.start()

    def drain(self) -> None:
        """Write what waits, here and now; chores are not done. A failure is in `problem`."""
        self._write_all(_LONGEST_CLAIM_S)

    def wait(self, limit_s: float) -> bool:
        """Wait for the writing that is under way; return whether nothing waits any more."""
        if self._thread is not None:
            self._thread.join(limit_s)
        return not self.is_busy and self._spool.is_empty

    @property
    def is_busy(self) -> bool:
        """Whether a writing is under way in the background."""
        return self._thread is not None and self._thread.is_alive()

    # ---- in the background ----

    def _work(self) -> None:
        # Whoever else writes the same records now does so for this one too.
        self._write_all(wait_s=0.0)
        if self._trouble is not None:
            return
        for chore in self._chores:
            self._do(chore)

    def _do(self, chore: Chore) -> None:
        try:
            chore()
        except Exception as error:  # noqa: BLE001 - nothing else may fail with it
            if chore not in self._failing:
                words = str(error) if isinstance(error, StoreError) else type(error).__name__
                logger.warning("What is done beside the journal failed: %s", words)
            self._failing.add(chore)
        else:
            self._failing.discard(chore)

    def _write_all(self, wait_s: float) -> None:
        trouble = None
        try:
            with self._spool.claim(wait_s) as backlog:
                if backlog is None:
                    return
                while lines := backlog.read(_BATCH):
                    self._settle(backlog, lines)
        except (StoreError, OSError) as error:
            trouble = str(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, the next writing must be made
            trouble = type(error).__name__
        self._note(trouble)

    def _settle(self, backlog: Backlog, lines: list[bytes]) -> None:
        """Write lines, as many at a time as the database takes; put aside what it will not have."""
        size = len(lines)
        while lines:
            chunk = lines[:size]
            try:
                self._apply(chunk)
            except RowRefused as error:
                if len(chunk) > 1:
                    size = len(chunk) // 2
                    continue
                self._reject(chunk[0], error)
            backlog.done(len(chunk))
            lines = lines[len(chunk) :]
            size *= 2

    def _apply(self, lines: list[bytes]) -> None:
        try:
            records = [from_line(line) for line in lines]
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise RowRefused(f"no record: {error}") from None
        try:
            with self._journal.transaction() as session:
                apply(session, records)
        except (ValueError, TypeError, LookupError, ArithmeticError) as error:
            raise RowRefused(f"{type(error).__name__}: {error}") from None

    def _reject(self, line: bytes, error: Exception) -> None:
        self._spool.reject(line, str(error)[:_REASON_LENGTH])
        self._rejected += 1
        self._is_rejecting = True

    def _refuse(self, line: bytes, error: Exception) -> None:
        # In the trader's thread: a disk that refuses even this must not stop it.
        try:
            self._reject(line, error)
        except OSError as refusal:
            logger.warning("A record of the journal is lost: %s", refusal)

    def _note(self, trouble: str | None) -> None:
        """Log a failure once and the recovery once, and how long the database is left alone."""
        if trouble is not None and self._trouble is None:
            logger.warning("The journal is not written (%s); records wait.", trouble)
        elif trouble is None and self._trouble is not None:
            logger.warning("The journal is written again.")
        if self._is_rejecting:
            self._is_rejecting = False
            logger.warning("%s: %d records are put aside.", self._spool, self._rejected)
        self._trouble = trouble
        if trouble is None:
            self._pause_s, self._rests_until_s = _FIRST_PAUSE_S, float("-inf")
        else:
            self._rests_until_s = self._clock() + self._pause_s
            self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)

"""What is counted of a source, and told once when it begins to fail and when it works again."""

import logging
import traceback
from collections.abc import Callable
from dataclasses import dataclass

from external_layers.sources.scrub import Secrets

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Ledger:
    """The counts of a source; see `SourceState` for those that are shown.

    Attributes
    ----------
    name
        The source.
    secrets
        Its keys, which are struck out of all texts.
    on_change
        Told (source, problem or None).
    """

    name: str
    secrets: Secrets
    on_change: Callable[[str, str | None], None]
    last_success_ms: int | None = None
    last_attempt_ms: int | None = None
    problem: str | None = None
    failures: int = 0
    facts: int = 0
    payload_errors: int = 0
    sample: str | None = None
    refusals: int = 0
    _has_told_bug: bool = False

    def worked(self, now_ms: int) -> None:
        """Note that a fetch ended well."""
        self.last_success_ms = now_ms
        if self.problem is not None:
            logger.warning("%s works again.", self.name)
            self.on_change(self.name, None)
        self.problem, self.failures, self._has_told_bug = None, 0, False

    def failed(self, error: BaseException) -> None:
        """Note that the source could not be asked or had nothing to tell."""
        self._note(self.secrets.shown(str(error)))

    def broke(self, bug: BaseException) -> None:
        """Note an error that none of the tree is, with its trace."""
        problem = self.secrets.shown(f"{type(bug).__name__}: {bug}")
        trace = None
        if not self._has_told_bug:
            trace = self.secrets.hidden("".join(traceback.format_exception(bug)))
        self._has_told_bug = True
        self._note(problem, trace)

    def switched_off(self, why: str) -> None:
        """Note that the source is not asked again."""
        self.problem = None
        self._note(why)

    def _note(self, problem: str, trace: str | None = None) -> None:
        is_new, self.problem = self.problem is None, problem
        self.failures += 1
        if trace is not None:
            logger.error("%s failed: %s\n%s", self.name, problem, trace)
        elif is_new:
            logger.error("%s failed: %s", self.name, problem)
        if is_new:
            self.on_change(self.name, problem)

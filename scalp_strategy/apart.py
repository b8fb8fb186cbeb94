"""Each of several things by itself: what fails harms itself alone, and is told once."""

import logging
from collections.abc import Callable
from typing import Final, TypeVar

logger = logging.getLogger(__name__)

ResultT = TypeVar("ResultT")
_LONGEST: Final = 200


class Apart:
    """The boundary around what is done for one trade, one pair or one step of the loop.

    Whatever is raised within ends there: the substitute is returned and the others go on. A failure
    is logged with its trace when it begins and not again while it lasts, then its end.
    """

    def __init__(self) -> None:
        self._failing: dict[str, dict[str, str]] = {}

    def run(
        self, subject: str, what: str, do: Callable[[], ResultT], otherwise: Callable[[], ResultT]
    ) -> ResultT:
        """Do something for a subject, or what stands in for it when that fails.

        Parameters
        ----------
        subject
            Whom a failure harms, e.g. ``"trade 3 of SOL/USDT:USDT"``.
        what
            What is done, e.g. ``"its stop"``.
        do, otherwise
            The deed, and the substitute; that must not fail.
        """
        try:
            result = do()
        except Exception as error:  # noqa: BLE001 - this is the boundary
            self._note(subject, what, f"{what}: {error!r}"[:_LONGEST])
            return otherwise()
        failing = self._failing.get(subject)
        if failing is not None and failing.pop(what, None) is not None:
            logger.warning("%s: %s works again.", subject, what)
        return result

    def problems(self) -> dict[str, str | None]:
        """Return what fails now, by subject; None for one that works again, told once."""
        now = {name: "; ".join(each.values()) or None for name, each in self._failing.items()}
        self._failing = {name: each for name, each in self._failing.items() if each}
        return now

    def _note(self, subject: str, what: str, problem: str) -> None:
        failing = self._failing.setdefault(subject, {})
        if what not in failing:
            logger.exception("%s: %s failed; all others go on.", subject, what)
            failing[what] = problem

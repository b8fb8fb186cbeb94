"""A call that may hang, waited for no longer than a limit."""

from collections.abc import Callable
from concurrent.futures import Future, wait
from threading import Thread
from time import monotonic
from typing import TypeVar

from scalp_strategy.errors import SourceUnavailable

Result = TypeVar("Result")


class BoundedCall:
    """Runs one call at a time in a thread of its own.

    A socket's time limit counts for each chunk, so a server that drips could hold a caller for
    ever; here the wait as a whole is limited. What a late call returns is thrown away.
    """

    def __init__(self) -> None:
        self._last: Future[object] | None = None

    def run(self, call: Callable[[], Result], limit_s: float) -> Result:
        """Return what the call returns, or raise what it raises.

        Raises
        ------
        SourceUnavailable
            The call, or the one before it, did not end in time; it goes on by itself.
        """
        deadline = monotonic() + limit_s
        if self._last is not None and not wait([self._last], limit_s).done:
            raise SourceUnavailable("the last call still hangs")
        future: Future[Result] = Future()
        self._last = future  # type: ignore[assignment]  # only its end is of interest
        Thread(target=_fulfil, args=(future, call), name="layers", daemon=True).start()
        if not wait([future], max(0.0, deadline - monotonic())).done:
            raise SourceUnavailable(f"no answer within {limit_s:g} s")
        return future.result()


def _fulfil(future: Future[Result], call: Callable[[], Result]) -> None:
    try:
        future.set_result(call())
    except BaseException as error:  # noqa: BLE001  # handed to the caller, as `Future` does
        future.set_exception(error)

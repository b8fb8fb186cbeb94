"""What an admin asks of the running bot: asked in any thread, done by the trading loop."""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue

from scalp_strategy.state_file import AdminRequest


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, who made it, and where its result is awaited."""

    request: AdminRequest
    by: str
    answer: Future[str] = field(default_factory=Future)


class AdminQueue:
    """Hands requests to the trading loop, which alone changes the account."""

    def __init__(self) -> None:
        self._asked: SimpleQueue[Asked] = SimpleQueue()

    def ask(self, request: AdminRequest, by: str) -> Future[str]:
        """Ask; the future gives what happened, in words, once the loop has done it."""
        asked = Asked(request, by)
        self._asked.put(asked)
        return asked.answer

    def serve(self, do: Callable[[AdminRequest, str], str]) -> None:
        """Do what was asked so far, in order; whoever gave up waiting has still asked."""
        while True:
            try:
                asked = self._asked.get_nowait()
            except Empty:
                return
            # A future that was cancelled by its timeout takes no result any more.
            is_awaited = asked.answer.set_running_or_notify_cancel()
            said = do(asked.request, asked.by)
            if is_awaited:
                asked.answer.set_result(said)

"""Questions that are put round after round: which are due, and which still lack an answer."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable, Mapping
from typing import Any, Generic, TypeVar

from scalp_strategy.errors import ScalpError

KeyT = TypeVar("KeyT", bound=Hashable)
Put = Callable[[], Coroutine[Any, Any, None]]


class Rounds(Generic[KeyT]):
    """Puts questions of one kind, each no sooner than some time after it was put last.

    A question that failed counts as failed until it is answered or no longer wanted, also in the
    rounds in which it only waits: trouble is told once, not at every attempt.

    Parameters
    ----------
    now_ms
        The clock, epoch milliseconds. When it is set back everything is due.
    again_s, retry_s
        Seconds until a question is put again after an answer, and after a failure.
    """

    def __init__(self, now_ms: Callable[[], int], again_s: float, retry_s: float) -> None:
        self._now_ms = now_ms
        self._again_ms, self._retry_ms = round(again_s * 1_000), round(retry_s * 1_000)
        self._put_ms: dict[KeyT, int] = {}
        self._errors: dict[KeyT, BaseException] = {}

    async def put(self, wanted: Mapping[KeyT, Put]) -> None:
        """Put all questions that are due at once, in their order; the interface queues them.

        Raises
        ------
        ScalpError
            The first error of a wanted question, after every answer; a bug comes before it.
        """
        self._errors = {key: error for key, error in self._errors.items() if key in wanted}
        due = self._due(wanted)
        answers = await asyncio.gather(*(wanted[key]() for key in due), return_exceptions=True)
        for key, answer in zip(due, answers, strict=True):
            self._errors.pop(key, None)
            if answer is not None:
                self._errors[key] = answer
        errors = list(self._errors.values())
        for error in (*(each for each in errors if not isinstance(each, ScalpError)), *errors):
            raise error

    def _due(self, wanted: Mapping[KeyT, Put]) -> list[KeyT]:
        now = self._now_ms()
        self._put_ms = {
            key: at for key, at in self._put_ms.items() if 0 <= now - at < self._wait_ms(key)
        }
        due = [key for key in wanted if key not in self._put_ms]
        self._put_ms |= dict.fromkeys(due, now)
        return due

    def _wait_ms(self, key: KeyT) -> int:
        return self._retry_ms if key in self._errors else self._again_ms

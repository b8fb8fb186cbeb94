"""Which questions are due, and how long a failure counts."""

import asyncio

import pytest

from external_layers.rounds import Rounds
from scalp_strategy.errors import SourceUnavailable
from tests.unit.external_layers.sidecar_parts import Clock


class Asked:
    """Rounds on a clock of the test; questions about what is in `bad` fail."""

    def __init__(self, again_s: float, retry_s: float) -> None:
        self.clock = Clock(1_000_000)
        self.rounds = Rounds[str](self.clock.now_ms, again_s, retry_s)
        self.bad: dict[str, Exception] = {}
        self.put: list[str] = []

    def __call__(self, names: str, after_ms: int = 0) -> str:
        """Ask for these at a later time and return what was really asked."""
        self.clock.ms += after_ms
        self.put = []
        try:
            asyncio.run(self.rounds.put({name: self._question(name) for name in names}))
        finally:
            self.said = "".join(self.put)
        return self.said

    def _question(self, name: str):
        async def question() -> None:
            self.put.append(name)
            if name in self.bad:
                raise self.bad[name]

        return question


def test_an_answered_question_waits_its_time() -> None:
    asked = Asked(10.0, 30.0)
    assert asked("ab") == "ab"
    assert asked("abc", 9_999) == "c"
    assert asked("abc", 1) == "ab"


def test_one_failure_stops_no_other_question_and_is_repeated_later() -> None:
    asked = Asked(0.0, 30.0)
    asked.bad["a"] = SourceUnavailable("away")
    for wait, said in ((0, "ab"), (1, "b"), (29_998, "b"), (1, "ab")):
        with pytest.raises(SourceUnavailable):
            asked("ab", wait)
        assert asked.said == said
    asked.bad.clear()
    assert asked("ab", 30_000) == "ab"
    assert asked("ab", 1) == "ab"


def test_a_failed_question_that_nobody_wants_any_more_is_forgotten() -> None:
    asked = Asked(10.0, 10.0)
    asked.bad["a"] = SourceUnavailable("away")
    with pytest.raises(SourceUnavailable):
        asked("ab")
    assert asked("b", 1) == ""


def test_a_bug_comes_before_a_failure() -> None:
    asked = Asked(10.0, 10.0)
    asked.bad = {"a": SourceUnavailable("away"), "b": KeyError("a bug")}
    with pytest.raises(KeyError):
        asked("ab")


def test_everything_is_due_after_the_clock_was_set_back() -> None:
    asked = Asked(10.0, 10.0)
    asked("a")
    assert asked("a", -3_600_000) == "a"

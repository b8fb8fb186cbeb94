"""A client that answers what it was told to, and keeps what it was asked."""

import copy
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from external_layers.sources.facts import Fact
from external_layers.sources.reading import json_of
from external_layers.sources.spec import FetchContext
from scalp_strategy.settings import Settings

NOW_MS = 1_780_000_000_000  # 2026-05-28 20:26:40 UTC


class Question(NamedTuple):
    """What a client was asked."""

    path: str
    params: dict[str, Any]
    headers: dict[str, str]
    json: Any = None
    form: Mapping[str, str] | None = None


@dataclass
class Answer:
    """An answer of status 200."""

    body: bytes
    received_ms: int = NOW_MS
    is_unchanged: bool = False

    def json(self) -> Any:
        return json_of(self.body)


@dataclass
class ScriptedClient:
    """Gives its answers one after the other; an exception is raised, bytes go as they are."""

    answers: list[Any]
    asked: list[Question] = field(default_factory=list)
    received_ms: int = NOW_MS

    async def get(
        self,
        path: str,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        is_conditional: bool = False,
    ) -> Answer:
        return self._next(Question(path, dict(params or {}), dict(headers or {})))

    async def post(
        self,
        path: str,
        json: Any,
        headers: Mapping[str, str] | None = None,
        *,
        form: Mapping[str, str] | None = None,
    ) -> Answer:
        return self._next(Question(path, {}, dict(headers or {}), json, form))

    async def messages(self, path: str, opening: Sequence[Any]) -> AsyncIterator[tuple[bytes, int]]:
        self.asked.append(Question(path, {}, {}, list(opening)))
        while self.answers:
            yield self._answer(self.answers.pop(0)).body, self.received_ms

    def _next(self, question: Question) -> Answer:
        self.asked.append(copy.deepcopy(question))
        return self._answer(self.answers.pop(0))

    def _answer(self, answer: Any) -> Answer:
        if isinstance(answer, Exception):
            raise answer
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        return Answer(body, self.received_ms)


@dataclass
class Told(FetchContext):
    """A context that keeps what was delivered, and the memory as the runner would keep it.

    After a fetch that fails `memory` has to be `kept`: what the last delivery left.
    """

    delivered: list[Fact] = field(default_factory=list)
    kept: dict[str, Any] = field(default_factory=dict)

    def take(self, facts: Sequence[Fact]) -> None:
        self.delivered.extend(facts)
        self.kept = copy.deepcopy(self.memory)


def context_of(
    keys: Mapping[str, str],
    tokens: Sequence[str] = (),
    prices: Mapping[str, float] | None = None,
    section: Mapping[str, Any] | None = None,
) -> Told:
    """Return a context at `NOW_MS`."""
    known = prices or {}
    context = Told(
        now_ms=lambda: NOW_MS,
        settings=Settings.model_validate(section or {}),
        keys=dict(keys),
        tokens=tuple(tokens),
        price=lambda token: known.get(token, float("nan")),
    )
    context.deliver = context.take
    return context

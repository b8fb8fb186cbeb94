"""A request to one of the outside providers, and how it is refused."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import orjson

from external_layers.replay.answer import Answer

NOBODY_THERE: Final = "no such address here"


class Refused(Exception):
    """A provider does not answer a request; `body` is what it says instead."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(f"status {status}")
        self.status = status
        self.body = body


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as a provider sees it.

    Attributes
    ----------
    path
        Beneath the provider, e.g. ``"/fng/"``; of a whole URL ``"/<host>/<path>"``.
    headers
        By lower-case name.
    """

    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def json(self) -> Any:
        """Return the body's JSON value; refuses a body that is none."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            raise Refused(400, {"error": "the body is no JSON"}) from None

    def whole(self, name: str, default: int, most: int | None = None) -> int:
        """Return a whole number among the parameters, at most `most`."""
        text = self.params.get(name, "").removeprefix("+")
        value = int(text) if text.isdigit() else default
        return value if most is None else min(value, most)

    def bearer(self) -> str:
        """Return the bearer token; empty without one."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""


Answerer: TypeAlias = Callable[[Asked], Answer]


def demand(key: str, body: Any) -> None:
    """Refuse a request without a key, in the provider's words; any key will do."""
    if not key:
        raise Refused(401, body)


def unknown(asked: Asked) -> Refused:
    """Return the refusal of a path that the provider does not have."""
    return Refused(404, {"error": NOBODY_THERE, "path": asked.path})

"""What is sent back for a request."""

from dataclasses import dataclass, field
from typing import Any, Final

import orjson

JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers and body of an answer, and by how much it is late.

    Attributes
    ----------
    body
        What becomes JSON, or bytes that are sent as they are.
    delay_s, over_s
        Seconds before it begins, and over which the body comes in pieces; 0 = at once.
    """

    body: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    content_type: str = JSON
    over_s: float = 0.0

    @property
    def raw(self) -> bytes:
        """The body as it is sent."""
        return self.body if isinstance(self.body, bytes) else orjson.dumps(self.body)

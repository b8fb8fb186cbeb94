"""What tests and demos set in the outside world: the bodies of ``POST /control/outside``.

A body names its ``kind``. A fact holds from now on until a later one or a reset:

- ``{"kind": "fear_greed", "value": 12}``: the index of this and of the coming days, 0..100.
- ``{"kind": "dominance", "value": 61.5}``: percent; ``{"kind": "total_cap", "value": 2.1e12}``:
  dollars.
- ``{"kind": "sp500_move", "pct": -2.5}`` and ``{"kind": "dollar_move", "pct": 0.8}``: the price
  jumps now, within the day and in the daily closes from today's on.
- ``{"kind": "whale", "token": "BTC", "usd": 5e6, "direction": "withdrawal"}``: a transfer now,
  between a listed wallet of `exchange` (none named: any) and an unknown one.
- ``{"kind": "story", "title": "..."}``: a headline now, in the feed of `publisher` and on Reddit.
- ``{"kind": "tone", "value": 6.0}``: GDELT's tone of the day that is told and of the days to come.

A state lasts until a reset:

- ``{"kind": "calm"}``: no whales but those that are set, index 50, flat macro, headlines that say
  nothing; ``"on": false`` ends it.
- ``{"kind": "garbage", "path": "/outside/gdelt", "how": "html", "count": 3}``: answers whose path
  matches are spoiled. `how`: ``html`` (a page instead), ``empty``, ``truncated`` (the first half),
  ``wrong_types`` (every value of JSON becomes an empty object), ``huge`` (padded to `mb`
  megabytes), ``slow`` (comes in pieces over `seconds`; a message of a stream does not come).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal, NamedTuple, TypeAlias, TypeVar

from pydantic import Field, TypeAdapter

from external_layers.replay.faults import UNTIL_RESET, Pending, taken
from scalp_strategy.setting_groups.base import Group, setting

Direction = Literal["deposit", "withdrawal", "between_exchanges", "between_wallets"]
How = Literal["html", "empty", "truncated", "wrong_types", "huge", "slow"]
Publisher = Literal["coindesk", "cointelegraph", "decrypt", "theblock"]


class FearGreedFact(Group):
    """The Fear & Greed index."""

    kind: Literal["fear_greed"]
    value: float = setting(..., "0 = extreme fear, 100 = extreme greed.", ge=0, le=100)


class DominanceFact(Group):
    """The share of BTC in the whole market."""

    kind: Literal["dominance"]
    value: float = setting(..., "Percent.", gt=0, lt=100)


class TotalCapFact(Group):
    """The capitalisation of the whole market."""

    kind: Literal["total_cap"]
    value: float = setting(..., "US dollars.", gt=0, le=1e15)


class Sp500Move(Group):
    """A jump of the S&P 500 and its future."""

    kind: Literal["sp500_move"]
    pct: float = setting(..., "Percent.", gt=-100, le=100)


class DollarMove(Group):
    """A jump of the dollar against other currencies."""

    kind: Literal["dollar_move"]
    pct: float = setting(..., "Percent.", gt=-100, le=100)


class WhaleFact(Group):
    """A large transfer."""

    kind: Literal["whale"]
    token: str = setting(..., "Base asset, e.g. BTC, or USDT and USDC.")
    usd: float = setting(..., "What it is worth.", gt=0, le=1e12)
    direction: Direction = setting(..., "As seen from the exchange.")
    exchange: str | None = setting(None, "E.g. Binance; none = any that has a listed wallet.")


class StoryFact(Group):
    """A headline."""

    kind: Literal["story"]
    title: str = setting(..., "The headline.", min_length=1, max_length=300)
    publisher: Publisher = setting("coindesk", "Whose feed brings it.")


class ToneFact(Group):
    """The mean tone of the world's press."""

    kind: Literal["tone"]
    value: float = setting(..., "In practice -10 = very bad, 10 = very good.", ge=-100, le=100)


class Calm(Group):
    """A world in which nothing happens."""

    kind: Literal["calm"]
    on: bool = setting(True, "False ends it.")


class GarbageRule(Group):
    """Spoil the answers of requests whose path matches."""

    kind: Literal["garbage"]
    path: str = setting(".*", "Regular expression, searched in the path.")
    how: How = setting(..., "What becomes of the answer.")
    count: int = setting(UNTIL_RESET, "Answers to spoil.", ge=1)
    mb: float = setting(40.0, "Megabytes of a huge answer.", gt=0, le=100)
    seconds: float = setting(3_600.0, "How long a slow answer takes.", gt=0, le=86_400)


Fact: TypeAlias = (
    FearGreedFact
    | DominanceFact
    | TotalCapFact
    | Sp500Move
    | DollarMove
    | WhaleFact
    | StoryFact
    | ToneFact
)
Order: TypeAlias = Annotated[Fact | Calm | GarbageRule, Field(discriminator="kind")]
_ORDERS: Final[TypeAdapter[Fact | Calm | GarbageRule]] = TypeAdapter(Order)

FactT = TypeVar("FactT", bound=Group)


class Set(NamedTuple):
    """A fact, from when on it holds (wall time) and which one it is."""

    fact: Fact
    at_ms: int
    number: int


@dataclass(slots=True)
class Script:
    """What has been set since the last reset."""

    facts: list[Set] = field(default_factory=list)
    garbage: list[Pending[GarbageRule]] = field(default_factory=list)
    is_calm: bool = False
    revision: int = 0

    def obey(self, order: Fact | Calm | GarbageRule, now_ms: int) -> None:
        """Let an order hold from now on."""
        self.revision += 1
        if isinstance(order, Calm):
            self.is_calm = order.on
        elif isinstance(order, GarbageRule):
            self.garbage.append(Pending(order, re.compile(order.path), order.count))
        else:
            self.facts.append(Set(order, now_ms, self.revision))

    def of(self, kind: type[FactT], until_ms: int) -> Iterator[tuple[FactT, Set]]:
        """Yield the facts of a kind that hold at an instant, oldest first."""
        for each in self.facts:
            if isinstance(each.fact, kind) and each.at_ms <= until_ms:
                yield each.fact, each

    def last(self, kind: type[FactT], until_ms: int) -> FactT | None:
        """Return the newest fact of a kind that holds at an instant."""
        found = [fact for fact, _ in self.of(kind, until_ms)]
        return found[-1] if found else None

    def spoiler(self, path: str) -> GarbageRule | None:
        """Return how the answer to a path is spoiled and use the rule up by one."""
        return taken(self.garbage, path)

    def state(self) -> dict[str, Any]:
        """Return what has been set, for `/control/state`."""
        return {
            "is_calm": self.is_calm,
            "facts": [each.fact.model_dump() | {"at": each.at_ms} for each in self.facts],
            "garbage": [each.rule.model_dump() | {"left": each.left} for each in self.garbage],
        }

    def clear(self) -> None:
        """Take everything back."""
        self.facts.clear()
        self.garbage.clear()
        self.is_calm = False
        self.revision += 1


def order_of(body: Any) -> Fact | Calm | GarbageRule:
    """Return the order in a control's body; pydantic's ValidationError when it is none."""
    return _ORDERS.validate_python(body)

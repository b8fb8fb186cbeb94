"""Faults on demand: what goes wrong, how often, and a count of what was asked."""

import re
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from external_layers.binance.messages import MarketKind
from scalp_strategy.setting_groups.base import Group, setting

UNTIL_RESET = 1_000_000_000


class ErrorRule(Group):
    """Answer requests whose path matches with an HTTP error."""

    path: str = setting(".*", "Regular expression, searched in the path.")
    status: int = setting(500, "HTTP status: 418, 429, 5xx.", ge=400, le=599)
    count: int = setting(UNTIL_RESET, "Requests to spoil.", ge=1)
    retry_after: int | None = setting(None, "Seconds in `Retry-After`; none = no header.", ge=0)


class DelayRule(Group):
    """Answer requests whose path matches late."""

    path: str = setting(".*", "Regular expression, searched in the path.")
    seconds: float = setting(1.0, "Delay of the answer.", ge=0, le=600)
    count: int = setting(UNTIL_RESET, "Requests to delay.", ge=1)


class SilenceRule(Group):
    """Push nothing on streams whose name matches."""

    stream: str = setting(".*", "Regular expression, searched in the stream's name.")
    seconds: float = setting(3_600.0, "How long.", gt=0)


class MalformedRule(Group):
    """Replace pushes on streams whose name matches by garbage."""

    stream: str = setting(".*", "Regular expression, searched in the stream's name.")
    count: int = setting(1, "Frames to spoil.", ge=1)


class MoveRule(Group):
    """Multiply the prices of a symbol from an instant on."""

    symbol: str = setting(..., "Exchange's name, e.g. BTCUSDT.")
    factor: float = setting(..., "Prices become this times what they were.", gt=0, le=100)
    at: int | None = setting(None, "Wall time in ms; none = now.", ge=0)
    minutes: float = setting(0.0, "Minutes until the whole factor is reached.", ge=0, le=1440)


class FlowRule(Group):
    """Let takers of a symbol buy with a chance, in both markets."""

    symbol: str = setting(..., "Exchange's name, e.g. BTCUSDT.")
    buy_share: float = setting(..., "Chance that a trade is a taker buy.", ge=0, le=1)
    at: int | None = setting(None, "Wall time in ms from when on; none = now.", ge=0)
    minutes: float = setting(30.0, "How long.", gt=0, le=1440)


class ShiftRule(Group):
    """Move market time, relative to where the market was started."""

    days: int = setting(0, "Whole days.")
    minutes: int = setting(0, "Whole minutes on top.")


class WeightRule(Group):
    """Whether request weight is enforced, and its limits a minute."""

    enforce: bool = setting(True, "Answer 429 above the limits.")
    spot: int = setting(6_000, "Limit of the spot market.", ge=1)
    futures: int = setting(2_400, "Limit of the futures market.", ge=1)

    def limits(self) -> dict[MarketKind, int]:
        """Return the limits by market."""
        return {"spot": self.spot, "futures": self.futures}


RuleT = TypeVar("RuleT", bound=Group)


@dataclass(slots=True)
class Pending(Generic[RuleT]):
    """A rule, its compiled pattern and how often it still applies."""

    rule: RuleT
    pattern: re.Pattern[str]
    left: int


@dataclass(slots=True)
class Faults:
    """The faults that are on; of several that match, the one added first applies."""

    errors: list[Pending[ErrorRule]] = field(default_factory=list)
    delays: list[Pending[DelayRule]] = field(default_factory=list)
    malformed: list[Pending[MalformedRule]] = field(default_factory=list)
    silences: list[tuple[re.Pattern[str], int]] = field(default_factory=list)

    def add_error(self, rule: ErrorRule) -> None:
        """Turn an error rule on."""
        self.errors.append(Pending(rule, re.compile(rule.path), rule.count))

    def add_delay(self, rule: DelayRule) -> None:
        """Turn a delay rule on."""
        self.delays.append(Pending(rule, re.compile(rule.path), rule.count))

    def add_malformed(self, rule: MalformedRule) -> None:
        """Turn a garbage rule on."""
        self.malformed.append(Pending(rule, re.compile(rule.stream), rule.count))

    def add_silence(self, rule: SilenceRule, now_ms: int) -> None:
        """Turn a silence on, from now."""
        self.silences.append((re.compile(rule.stream), now_ms + round(rule.seconds * 1_000)))

    def error_for(self, path: str) -> ErrorRule | None:
        """Return the error that a request gets and use it up by one."""
        return taken(self.errors, path)

    def delay_for(self, path: str) -> float:
        """Return the seconds by which an answer is late and use the rule up by one."""
        rule = taken(self.delays, path)
        return rule.seconds if rule else 0.0

    def is_garbled(self, stream: str) -> bool:
        """Return whether the next frame of a stream is garbage and use the rule up by one."""
        return taken(self.malformed, stream) is not None

    def is_silent(self, stream: str, now_ms: int) -> bool:
        """Return whether a stream must keep quiet."""
        return any(until > now_ms and pattern.search(stream) for pattern, until in self.silences)

    def state(self) -> dict[str, Any]:
        """Return what is on, for `/control/state`."""

        def listed(pending: list[Pending[RuleT]]) -> list[dict[str, Any]]:
            return [each.rule.model_dump() | {"left": each.left} for each in pending]

        return {
            "errors": listed(self.errors),
            "delays": listed(self.delays),
            "malformed": listed(self.malformed),
            "silences": [
                {"stream": pattern.pattern, "until": until} for pattern, until in self.silences
            ],
        }

    def clear(self) -> None:
        """Turn everything off."""
        for rules in (self.errors, self.delays, self.malformed, self.silences):
            rules.clear()


def taken(pending: list[Pending[RuleT]], text: str) -> RuleT | None:
    """Return the first rule whose pattern a text matches and use it up by one; None = none does."""
    for each in pending:
        if each.pattern.search(text):
            each.left -= 1
            if each.left == 0:
                pending.remove(each)
            return each.rule
    return None

"""What goes wrong with calls to the local Bot API, and the record of each call."""

from dataclasses import dataclass

from tests.support.bot_api_chats import Params, Refusal, too_many


@dataclass(frozen=True)
class Fault:
    """What happens to a call in place of, or around, its ordinary answer."""

    kind: str
    refusal: Refusal | None = None
    seconds: float = 0.0


def refuse(retry_after: int) -> Fault:
    """429: too many requests."""
    return Fault("refuse", too_many(retry_after))


def answer(code: int, words: str) -> Fault:
    """A refusal of any kind, such as 502 and "Bad Gateway", before anything is done."""
    return Fault("refuse", Refusal(code, words))


def cut_before() -> Fault:
    """The connection breaks; nothing was done."""
    return Fault("cut before")


def cut_after() -> Fault:
    """The connection breaks; what was asked is done, nobody is told."""
    return Fault("cut after")


def silent_before() -> Fault:
    """No answer until the client gives up; nothing was done."""
    return Fault("silent before")


def silent_after() -> Fault:
    """No answer until the client gives up; what was asked is done."""
    return Fault("silent after")


def garbage() -> Fault:
    """A page for people in place of JSON; nothing was done."""
    return Fault("garbage")


def delay(seconds: float) -> Fault:
    """The ordinary answer, late."""
    return Fault("delay", seconds=seconds)


@dataclass
class Call:
    """A call as it came, and what became of it.

    `outcome` is "ok", the refusal's words or the fault's kind; `is_done` whether it took effect.
    """

    method: str
    token: str
    chat_id: str
    params: Params
    at_s: float
    outcome: str = "waiting"
    is_done: bool = False


@dataclass
class Planned:
    """A fault for the next `count` calls that it fits."""

    method: str
    fault: Fault
    count: int
    token: str | None
    chat_id: str | None

    def fits(self, call: Call) -> bool:
        return (
            self.count > 0
            and self.method in ("*", call.method)
            and self.token in (None, call.token)
            and self.chat_id in (None, call.chat_id)
        )

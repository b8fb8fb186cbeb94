"""Events of the sidecar as the journal takes them (pure)."""

from dataclasses import dataclass
from typing import Annotated, Final, Literal, TypeAlias

from msgspec import Meta

Direction = Literal["deposit", "withdrawal", "between_exchanges", "between_wallets"]

# Kinds of events that are kept; the sidecar tells others too.
WHALE: Final = "whale"
REGIME: Final = "regime"
MACRO: Final = "macro"
SENTIMENT: Final = "sentiment"

KIND_LENGTH: Final = 32
LATEST_MS: Final = 253_402_300_799_000  # the last second of the year 9999
Instant = Annotated[int, Meta(ge=0, le=LATEST_MS)]
Money = Annotated[float, Meta(gt=0, lt=1e15)]

# Tokens that are money: they come to an exchange to buy, not to be sold.
_STABLE: Final = frozenset(
    {"USDT", "USDC", "DAI", "FDUSD", "TUSD", "USDE", "PYUSD", "USDD", "USDS", "USD1", "BUSD"}
)
_COINS: Final[dict[Direction, str]] = {
    "deposit": "bearish: coins that come to an exchange may be sold",
    "withdrawal": "bullish: coins leave an exchange, less is for sale",
    "between_exchanges": "neutral: a move between exchanges",
    "between_wallets": "neutral: no exchange takes part",
}
_STABLECOINS: Final[dict[Direction, str]] = _COINS | {
    "deposit": "bullish: buying power comes to an exchange",
    "withdrawal": "bearish: buying power leaves an exchange",
}


def one_line(text: str, length: int) -> str:
    """Return a text of others as every database takes it: no NUL or the like, not too long."""
    printable = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(printable.split())[:length]


@dataclass(frozen=True, slots=True)
class WhaleMovement:
    """A large transfer; `amount` in tokens, None is unknown."""

    token: str
    direction: Direction
    from_label: str
    to_label: str
    blockchain: str
    tx_hash: str
    observed_at_ms: Instant
    amount: Money | None = None
    amount_usd: Money | None = None

    @property
    def impact(self) -> str:
        """What it may do to the price, in words."""
        return (_STABLECOINS if self.token in _STABLE else _COINS)[self.direction]


@dataclass(frozen=True, slots=True)
class StateChange:
    """The market regime or the macro state became another; None is unknown."""

    old: str | None = None
    new: str | None = None


@dataclass(frozen=True, slots=True)
class SentimentSnapshot:
    """The market's mood at an instant; None is unknown."""

    fear_greed: Annotated[float, Meta(ge=0, le=100)] | None = None
    btc_dominance: Annotated[float, Meta(ge=0, le=100)] | None = None
    social: Annotated[float, Meta(ge=0, lt=1e9)] | None = None
    regime: str | None = None
    macro: str | None = None


Content: TypeAlias = WhaleMovement | StateChange | SentimentSnapshot


@dataclass(frozen=True, slots=True)
class OutsideEvent:
    """One numbered event of the sidecar.

    Attributes
    ----------
    number
        Strictly ascending while the sidecar keeps its folder; gaps are possible.
    at_ms
        When it was told, epoch milliseconds.
    kind
        One line of at most `KIND_LENGTH` characters.
    content
        None for kinds that have no table, and where the data was not understood.
    """

    number: int
    at_ms: int
    kind: str
    pair: str | None
    text: str
    content: Content | None = None


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last event that was taken.

    Attributes
    ----------
    stream
        Which of the sidecar's folders, counted from 1: a new folder numbers its events anew.
    number, at_ms, kind
        The event; number 0 before the first.
    """

    stream: int = 1
    number: int = 0
    at_ms: int = 0
    kind: str = ""

    def is_of(self, event: OutsideEvent) -> bool:
        """Whether it stands on this very event."""
        return (self.number, self.at_ms, self.kind) == (event.number, event.at_ms, event.kind)

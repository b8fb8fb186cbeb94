"""What the on-chain state keeps of a fact, and how it is laid down in JSON.

Every note is a flat tuple that begins with when it was true. Money is counted in whole dollars, so
that running sums never drift and an empty window is exactly zero.
"""

from typing import Any, Final, NamedTuple, TypeAlias, TypeVar

from scalp_strategy.errors import PayloadError

LARGEST: Final = 1e15  # dollars or trades; a larger number is a mistake
NoteT = TypeVar("NoteT", bound=NamedTuple)
_TOLD: Final = 120  # characters of a malformed row that an error tells


class Move(NamedTuple):
    """Tokens that left an exchange (dollars above 0) or came to one (below 0).

    `place` is the exchange's name.
    """

    observed_ms: int
    dollars: int
    token: str
    place: str


class Mint(NamedTuple):
    """A stablecoin made (dollars above 0) or burnt (below 0)."""

    observed_ms: int
    dollars: int
    token: str


class Deal(NamedTuple):
    """A wallet that is known to trade well bought (side 1) or sold (side -1)."""

    observed_ms: int
    token: str
    wallet: str
    side: int


class Value(NamedTuple):
    """A reading of a series, no further from zero than `LARGEST`."""

    observed_ms: int
    series: str
    subject: str
    value: float


class Look(NamedTuple):
    """Somebody has looked: everything of the subject up to then is told."""

    observed_ms: int
    feed: str
    subject: str


Note: TypeAlias = Move | Mint | Deal | Value | Look
NOTES: Final[tuple[type[Note], ...]] = (Move, Mint, Deal, Value, Look)


def kind_of(note: Note) -> str:
    """Return the name under which a note is saved.

    Examples
    --------
    >>> kind_of(Look(0, "transfers", "BTC"))
    'look'
    """
    return type(note).__name__.lower()


class Waiting(NamedTuple):
    """A note that may not be known yet; in the order in which notes are taken in.

    Sorted by all of its fields, so that facts of one instant may come in any order.
    """

    available_ms: int
    observed_ms: int
    kind: str
    note: Note


class Counted(NamedTuple):
    """Dollars, or milliseconds, that were counted in one of the hours since the epoch."""

    hour: int
    number: int


class Seen(NamedTuple):
    """A transfer that was told, by its key."""

    key: str
    observed_ms: int


def typed(kind: type[NoteT], values: Any) -> NoteT:
    """Return the note of a JSON array.

    Raises
    ------
    PayloadError
        When a field is missing, too many or of another type. A whole number passes as a float, but
        no NaN.

    Examples
    --------
    >>> typed(Mint, [1_750_000_000_000, 5_000_000, "USDT"]).dollars
    5000000
    """
    types = kind.__annotations__.values()
    is_row = isinstance(values, list | tuple) and len(values) == len(types)
    if not is_row or not all(map(_is_of, values, types)):
        raise PayloadError(f"no {kind.__name__.lower()}: {str(values)[:_TOLD]}")
    return kind(*values)


def rows(document: Any, name: str) -> list[Any]:
    """Return the rows that a saved document holds under a name.

    Raises
    ------
    PayloadError
        When it is no document, or holds no such list.
    """
    found = document.get(name) if isinstance(document, dict) else None
    if not isinstance(found, list):
        raise PayloadError(f"no list of {name}: {str(found)[:_TOLD]}")
    return found


def _is_of(value: Any, kind: type) -> bool:
    if kind is float:
        return type(value) in (int, float) and abs(value) <= LARGEST
    return type(value) is kind

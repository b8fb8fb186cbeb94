"""The active pairs as Freqtrade's RemotePairList reads them, over HTTP or from a file."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from scalp_strategy.errors import PayloadError, StoreError
from scalp_strategy.files import replace_file

_READABLE: Final = 0o644  # the bot may run as another user
FILE_NAME: Final = "pairlist.json"


class _PairList(msgspec.Struct):
    pairs: list[str]
    refresh_period: int


def pairlist_body(
    active: Iterable[str], refresh_period_s: int, open_pairs: Iterable[str] = ()
) -> bytes:
    """Return the JSON that Freqtrade's RemotePairList expects.

    Parameters
    ----------
    active
        Pairs, best first; the order is kept.
    refresh_period_s
        Seconds until Freqtrade asks again; it may only raise the period in its config.
    open_pairs
        Pairs with an open position; those that are not active follow at the end. Freqtrade looks
        after its own open trades without this.

    Examples
    --------
    >>> pairlist_body(["SOL/USDT"], 60, ["ADA/USDT", "SOL/USDT"])
    b'{"pairs":["SOL/USDT","ADA/USDT"],"refresh_period":60}'
    """
    pairs = list(dict.fromkeys([*active, *open_pairs]))
    return msgspec.json.encode(_PairList(pairs, refresh_period_s))


def parse_pairlist(body: bytes) -> list[str]:
    """Return the pairs of a body made by `pairlist_body`.

    Raises
    ------
    PayloadError
        When it is none.
    """
    try:
        return msgspec.json.decode(body, type=_PairList).pairs
    except msgspec.MsgspecError as error:
        raise PayloadError(f"no pair list: {error}") from error


class PairlistFile:
    """The last known pair list on disk, for `file:///` configs while no sidecar answers.

    Parameters
    ----------
    directory
        Where `pairlist.json` lies; made when it is written.
    """

    def __init__(self, directory: Path) -> None:
        self.path = directory / FILE_NAME

    @property
    def url(self) -> str:
        """What `pairlist_url` in the Freqtrade config must be.

        Freqtrade takes what follows ``file:///`` as the path, so an absolute one has four slashes.
        """
        return f"file:///{self.path.absolute()}"

    def save(self, active: Iterable[str], refresh_period_s: int) -> None:
        """Replace the file in one step; an empty list leaves the last known one.

        Raises
        ------
        StoreError
            When the disk refuses; the last good file stays.
        """
        pairs = list(active)
        if not pairs:
            return
        replace_file(self.path, pairlist_body(pairs, refresh_period_s), _READABLE)

    def load(self) -> list[str]:
        """Return the last known list; empty when there is none yet.

        Raises
        ------
        StoreError
            When the file cannot be read or is no pair list.
        """
        try:
            return parse_pairlist(self.path.read_bytes())
        except FileNotFoundError:
            return []
        except (OSError, PayloadError) as error:
            raise StoreError(f"{self.path}: {error}") from error

"""The running sidecar as the demo asks it."""

from collections.abc import Collection
from typing import Any, Final

import httpx

_BOOK: Final = "book_imbalance"


class Sidecar:
    """Asks the sidecar's HTTP interface.

    Parameters
    ----------
    client
        An HTTP client whose base URL is the sidecar's.
    """

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def watches(self, pairs: Collection[str]) -> bool:
        """Whether it has chosen all of these pairs and follows their books.

        False too when it does not answer, as while it starts.
        """
        try:
            chosen = set(self._get("/v1/pairlist")["pairs"])
            scores = self._get("/v1/scores", pairs=",".join(pairs))
        except (httpx.HTTPError, ValueError):
            return False
        followed = {
            pair
            for one in scores["pairs"].values()
            for _, name, pair, long, *_ in one["components"]
            if name == _BOOK and long is not None
        }
        return chosen & followed >= set(pairs)

    def _get(self, path: str, **query: Any) -> Any:
        answer = self._client.get(path, params=query)
        answer.raise_for_status()
        return answer.json()

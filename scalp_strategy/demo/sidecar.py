"""The running sidecar as the demo asks it."""

from collections.abc import Collection
from typing import Any

import httpx

from scalp_strategy.errors import SourceUnavailable


class Sidecar:
    """Asks the sidecar's HTTP interface.

    Parameters
    ----------
    client
        An HTTP client whose base URL is the sidecar's.
    """

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def knows(self, component: str, pairs: Collection[str]) -> bool:
        """Whether a component of every one of these pairs is known."""
        answer = self._get("/v1/scores", pairs=",".join(pairs))
        known = {
            pair
            for one in answer["pairs"].values()
            for _, name, pair, long, *_ in one["components"]
            if name == component and long is not None
        }
        return known >= set(pairs)

    def pairs(self) -> list[str]:
        """Return the pairs that it has chosen."""
        return list(self._get("/v1/pairlist")["pairs"])

    def _get(self, path: str, **query: Any) -> Any:
        try:
            answer = self._client.get(path, params=query)
            answer.raise_for_status()
            return answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise SourceUnavailable(f"the sidecar: {path}: {error}") from error

"""Which of the host's trades are the strategy's own, and the boundary around each of them."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

from scalp_strategy.apart import Apart
from scalp_strategy.exits import PLAN_KEY

OWN_NAME: Final = "ScalpStrategy"
ResultT = TypeVar("ResultT")


class OwnTrades:
    """Tells the strategy's trades from others in the same database, and keeps each to itself.

    Parameters
    ----------
    name
        The strategy's name in the host. A trade of that name is its own, one without a name, and
        one that carries a plan: a strategy may be renamed while trades are open.
    apart
        The boundary that all share.
    """

    def __init__(self, name: str = OWN_NAME, apart: Apart | None = None) -> None:
        self.names = frozenset({name, OWN_NAME})
        self._apart = apart or Apart()
        self._known: dict[tuple[int, str], bool] = {}

    def is_own(self, trade: Any) -> bool:
        """Return whether a trade is ours; one whose data cannot be read goes by its name."""
        if not trade.strategy or trade.strategy in self.names:
            return True
        key = (trade.id, trade.pair)
        if key not in self._known:
            plan = self.run(trade, "its owner", lambda: (trade.get_custom_data(PLAN_KEY),), tuple)
            if not plan:
                return False
            self._known[key] = plan[0] is not None
        return self._known[key]

    def run(
        self, trade: Any, what: str, do: Callable[[], ResultT], otherwise: Callable[[], ResultT]
    ) -> ResultT:
        """Do something for one trade alone; see `Apart.run`."""
        name = f"trade {getattr(trade, 'id', '?')} of {getattr(trade, 'pair', '?')}"
        return self._apart.run(name, what, do, otherwise)

"""The order-flow layer: what book, trades, funding and open interest of a pair say.

`COMPONENTS` is the explicit list: one file for each component and for each detector that modifies
one. A new one is a new file and a line here.
"""

from collections.abc import Callable, Collection
from typing import Final, Literal, NamedTuple, TypeAlias

from external_layers.evidence import Evidence
from external_layers.orderflow.book_imbalance import book_imbalance
from external_layers.orderflow.funding import funding_rate
from external_layers.orderflow.large_orders import large_orders
from external_layers.orderflow.liquidations import liquidations
from external_layers.orderflow.open_interest import open_interest
from external_layers.orderflow.state import PairState
from external_layers.orderflow.thin_book import thin_book
from external_layers.orderflow.trade_flow import trade_flow
from external_layers.orderflow.vanishing import vanishing_liquidity
from external_layers.orderflow.velocity import velocity
from external_layers.orderflow.walls import walls

LAYER: Final = "orderflow"

Feed = Literal[
    "trades", "taker_bars", "depth", "book", "mark_price", "open_interest", "liquidations"
]
Rule: TypeAlias = Callable[[PairState, int], Evidence]
Modifier: TypeAlias = Callable[[Evidence, PairState, int], Evidence]


class FlowComponent(NamedTuple):
    """One component of the layer.

    Attributes
    ----------
    name
        Its name in weights, archive and reports.
    rule
        What it says of a pair at an instant, epoch milliseconds.
    needs
        It is unknown unless one feed of each set is there.
    modifiers
        Detectors that change what the rule says, in order; they never make it known.
    """

    name: str
    rule: Rule
    needs: tuple[frozenset[Feed], ...]
    modifiers: tuple[Modifier, ...] = ()

    def evidence(self, state: PairState, at_ms: int) -> Evidence:
        """Return what the component says, its modifiers applied."""
        found = self.rule(state, at_ms)
        for modifier in self.modifiers:
            found = modifier(found, state, at_ms)
        return found


_DEPTH: Final[frozenset[Feed]] = frozenset({"depth"})
_TRADES: Final[frozenset[Feed]] = frozenset({"trades"})
_FLOW: Final[frozenset[Feed]] = frozenset({"trades", "taker_bars"})
_BOOK: Final[frozenset[Feed]] = frozenset({"book"})
_MARK: Final[frozenset[Feed]] = frozenset({"mark_price"})
_OPEN_INTEREST: Final[frozenset[Feed]] = frozenset({"open_interest"})

COMPONENTS: Final[tuple[FlowComponent, ...]] = (
    FlowComponent("book_imbalance", book_imbalance, (_DEPTH,), (thin_book, walls)),
    FlowComponent("trade_flow", trade_flow, (_FLOW,), (velocity,)),
    FlowComponent("large_orders", large_orders, (_TRADES,)),
    FlowComponent("funding_rate", funding_rate, (_MARK,)),
    FlowComponent("open_interest", open_interest, (_OPEN_INTEREST, _FLOW), (liquidations,)),
    FlowComponent("vanishing_liquidity", vanishing_liquidity, (_BOOK,)),
)


def unknowable(feeds: Collection[Feed]) -> tuple[str, ...]:
    """Return the components that stay unknown when there are only these feeds.

    Examples
    --------
    >>> unknowable(("taker_bars", "open_interest"))
    ('book_imbalance', 'large_orders', 'funding_rate', 'vanishing_liquidity')
    """
    return tuple(
        each.name for each in COMPONENTS if not all(need & set(feeds) for need in each.needs)
    )

"""One pair's order flow: messages in, components out (pure: no clock, no I/O)."""

from math import nan

from external_layers.binance.messages import (
    AggTrade,
    DepthSnapshot,
    DepthUpdate,
    Liquidation,
    MarkPrice,
    OpenInterest,
    TakerBar,
)
from external_layers.orderflow import COMPONENTS, LAYER
from external_layers.orderflow.book_scan import Book
from external_layers.orderflow.flow_window import UNITS, units_of
from external_layers.orderflow.state import PairState
from scalp_strategy.contract import Component
from scalp_strategy.setting_groups.orderflow import OrderFlowSettings


class PairFlow:
    """What the order flow of one pair says.

    Everything expires by the exchange's event times, and by `now_ms` when components are asked
    for. An event ahead of `now_ms` (skewed clocks) has been heard and counts, but its component is
    stamped as available at that event's time, so nobody reads it before. Time never runs back.

    The state pickles; `memory_s` says how much history it depends on.
    """

    __slots__ = ("_pair", "_state")

    def __init__(self, pair: str, settings: OrderFlowSettings) -> None:
        self._pair = pair
        self._state = PairState(settings)

    @property
    def late(self) -> int:
        """Return how many messages were ignored since they came too late."""
        state = self._state
        return state.flow.late + state.forced.late + state.open_interest.late

    def on_trade(self, trade: AggTrade) -> None:
        """Take in a trade; one older than the window is ignored and counted."""
        units = int(trade.quantity * UNITS + 0.5)
        state = self._state
        if state.flow.add_trade(trade.time_ms, trade.price, units, not trade.is_buyer_maker):
            state.liquidation_map.add(trade.time_ms, trade.price, units)

    def on_taker_bar(self, bar: TakerBar) -> None:
        """Take in a bar in place of its trades; it counts at its last millisecond.

        Large orders stay unknown while a bar is in the window. Bars should be shorter than it.
        """
        bought, sold = units_of(bar.buy_quantity), units_of(bar.sell_quantity)
        flow = self._state.flow
        if not flow.add_bar(bar.open_ms, bar.close_ms, bought, sold, bar.trades):
            return
        if bar.close_ms > flow.price_ms:
            flow.price_at(bar.close_ms - 1, bar.close)
            self._state.liquidation_map.add(bar.close_ms - 1, bar.close, bought + sold)

    def on_depth(self, depth: DepthSnapshot) -> None:
        """Take in the best levels; one older than the last is ignored."""
        held = self._state.depth
        if held is None or depth.event_ms >= held.event_ms:
            self._state.depth = depth

    def on_book(self, book: Book, update: DepthUpdate) -> None:
        """Take in the kept book after `update` was applied to it; the book is only read now."""
        state = self._state
        state.vanishing.on_update(update)
        seen = state.book.look(book, update.event_ms)
        if seen is not None:
            state.vanishing.on_scan(seen)

    def on_book_reset(self) -> None:
        """Forget the kept book: it is unknown until the next `on_book`."""
        self._state.book.forget()
        self._state.vanishing.forget()

    def on_mark_price(self, mark: MarkPrice) -> None:
        """Take in the funding rate; one older than the last is ignored."""
        held = self._state.mark
        if held is None or mark.event_ms >= held.event_ms:
            self._state.mark = mark

    def on_open_interest(self, open_interest: OpenInterest) -> None:
        """Take in open interest with the last price, which is unknown once it is too old."""
        state = self._state
        age_ms = open_interest.time_ms - state.flow.price_ms
        is_fresh = age_ms <= state.settings.price_max_age_s * 1_000
        price = state.flow.price if is_fresh else nan
        state.open_interest.add(open_interest.time_ms, open_interest.quantity, price)

    def on_liquidation(self, liquidation: Liquidation) -> None:
        """Take in a forced order."""
        units = units_of(liquidation.quantity)
        self._state.forced.add_trade(
            liquidation.time_ms, liquidation.price, units, liquidation.is_buy
        )

    def on_gap(self) -> None:
        """Note that trades since the last one may have been lost.

        The time from the last trade to the next one counts as not listened to. Components that rest
        on the window stay known while `min_window_share` of it was listened to.
        """
        self._state.flow.coverage.lose()

    def components(self, now_ms: int) -> list[Component]:
        """Return one component per weight, in their order; NaN scores where unknown.

        `available_at_ms` is `now_ms`, or the newest event's time when that lies ahead of it.
        `observed_at_ms` is that of the newest input a component rests on (a modifier makes it no
        younger), and that of availability when there never was any.
        """
        at_ms = max(now_ms, self._state.newest_ms)
        self._state.settle(at_ms)
        return [
            each.evidence(self._state, at_ms).component(LAYER, each.name, self._pair, at_ms)
            for each in COMPONENTS
        ]


def memory_s(settings: OrderFlowSettings) -> int:
    """Return after how many seconds no trade, bar or open interest has any effect any more.

    Two windows (whether a trade is large depends on the window before it), the memory of estimated
    liquidations, and that of open interest, whichever is longest. The slow mean depth of the book
    alone reaches further back.
    """
    reach = settings.open_interest_window_s * (1.0 + settings.open_interest_slack)
    slices = settings.liquidation_memory_s + 2 * settings.liquidation_slice_s
    return max(2 * settings.window_s + 1, slices, round(reach) + 1)

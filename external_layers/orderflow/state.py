"""Everything the order-flow components of one pair rest on."""

from external_layers.binance.messages import DepthSnapshot, MarkPrice
from external_layers.orderflow.book_watch import BookWatch
from external_layers.orderflow.flow_window import FlowWindow
from external_layers.orderflow.liquidation_map import LiquidationMap
from external_layers.orderflow.open_interest_history import OpenInterestHistory
from external_layers.orderflow.vanishing_watch import VanishingWatch
from scalp_strategy.setting_groups.orderflow import OrderFlowSettings


class PairState:
    """The inputs of one pair, each kept by its own part.

    Attributes
    ----------
    depth, mark
        The newest depth snapshot and mark price, None before the first.
    flow, forced
        Takers' trades and forced orders of the window.
    book, vanishing
        Looks at the kept book, and its huge levels.
    open_interest, liquidation_map
        Open interest with prices, and where leverage would break.
    coverage_share
        Share of the window of trades that was listened to, as of the last `settle`.
    """

    __slots__ = (
        "book",
        "coverage_share",
        "depth",
        "flow",
        "forced",
        "liquidation_map",
        "mark",
        "open_interest",
        "settings",
        "vanishing",
    )

    def __init__(self, settings: OrderFlowSettings) -> None:
        window_ms = settings.window_s * 1_000
        self.settings = settings
        self.depth: DepthSnapshot | None = None
        self.mark: MarkPrice | None = None
        self.flow = FlowWindow(
            window_ms, settings.bucket_ms, settings.large_trade_ratio, settings.min_trades
        )
        self.forced = FlowWindow(window_ms, settings.bucket_ms)
        self.book = BookWatch(settings)
        self.vanishing = VanishingWatch(settings, self.flow)
        self.open_interest = OpenInterestHistory(
            settings.open_interest_window_s * 1_000, settings.open_interest_slack
        )
        self.liquidation_map = LiquidationMap(settings)
        self.coverage_share = 0.0

    @property
    def newest_ms(self) -> int:
        """Return the event time of the newest input of any kind, `NEVER` before any."""
        seen = self.book.seen
        return max(
            self.flow.price_ms,
            self.forced.price_ms,
            self.vanishing.coverage.newest_ms,
            self.open_interest.newest_ms,
            seen.event_ms if seen else -1,
            self.depth.event_ms if self.depth else -1,
            self.mark.event_ms if self.mark else -1,
        )

    @property
    def is_flow_known(self) -> bool:
        """Whether enough of the window was listened to, and enough was traded in it."""
        return (
            self.coverage_share >= self.settings.min_window_share
            and self.flow.trades >= self.settings.min_trades
        )

    def settle(self, at_ms: int) -> None:
        """Let everything expire that left its window by `at_ms`."""
        self.flow.expire(at_ms)
        self.forced.expire(at_ms)
        self.coverage_share = self.flow.coverage.share(at_ms)

"""Everything the on-chain components rest on: of one token, of all of them, of stablecoins."""

from typing import Final

from external_layers.onchain.hourly import HOURS_A_DAY, HourlyNets, Readings
from external_layers.onchain.move_window import MoveWindow
from external_layers.onchain.notes import Deal, Mint, Move, Value
from external_layers.onchain.watch import HOUR_MS, Watch, Watching
from external_layers.sources.facts import (
    DEX_BUYS,
    DEX_SELLS,
    EXCHANGE_NETFLOW,
    MARKET,
    STABLECOIN_SUPPLY,
)
from scalp_strategy.setting_groups.onchain import OnChainSettings

COIN_SERIES: Final = (EXCHANGE_NETFLOW, DEX_BUYS, DEX_SELLS)
FLOW_WINDOW_S: Final = 3_600  # flows are dollars an hour
DAY_MS: Final = HOURS_A_DAY * HOUR_MS
_MS_PER_S: Final = 1_000


def new_watch(settings: OnChainSettings) -> Watch:
    """Return a watch of something nobody has looked at yet."""
    return Watch(settings.watched_max_age_s * _MS_PER_S, settings.flow_hour_share)


class Everything:
    """Looks that tell of every token at once."""

    __slots__ = ("_history_ms", "trades", "transfers")

    def __init__(self, settings: OnChainSettings) -> None:
        self.transfers = new_watch(settings)
        self.trades = new_watch(settings)
        self._history_ms = history_ms(settings)

    def forget(self, at_ms: int) -> None:
        """Forget what no component needs at an instant, nor after it."""
        for watch in (self.transfers, self.trades):
            watch.forget(at_ms - self._history_ms)


class Coin:
    """What is known of one token that is no stablecoin, or of all of them together.

    Attributes
    ----------
    token
        Its ticker, `MARKET` for all of them.
    whales
        Transfers of whales in their window.
    flows, hours
        Transfers of the last hour, and the net flow of each hour before.
    netflow
        Readings of the net flow, by somebody who knows more wallets.
    deals
        When each wallet known to trade well last bought, or sold.
    dex
        The newest number of trades on DEXes by series.
    transfers, trades
        Who looked at its transfers, and at trades of smart wallets.
    """

    __slots__ = (
        "deals",
        "dex",
        "flows",
        "hours",
        "netflow",
        "settings",
        "token",
        "trades",
        "transfers",
        "whales",
    )

    def __init__(self, token: str, settings: OnChainSettings, everything: Everything) -> None:
        self.token = token
        self.settings = settings
        self.whales = MoveWindow(settings.whale_window_s * _MS_PER_S)
        self.flows = MoveWindow(FLOW_WINDOW_S * _MS_PER_S)
        self.hours = HourlyNets(settings.flow_history_days, settings.flow_min_hours)
        self.netflow = Readings()
        self.deals: dict[tuple[str, int], int] = {}
        self.dex: dict[str, Value] = {}
        self.transfers = Watching(new_watch(settings), everything.transfers)
        self.trades = Watching(new_watch(settings), everything.trades)

    @property
    def is_market(self) -> bool:
        """Whether it stands for all tokens."""
        return self.token == MARKET

    def on_move(self, move: Move) -> None:
        """Take in a transfer to or from an exchange."""
        if abs(move.dollars) >= self.settings.whale_transfer_usd:
            self.whales.add(move)
        self.flows.add(move)
        self.hours.add(move.observed_ms // HOUR_MS, move.dollars)

    def on_deal(self, deal: Deal) -> None:
        """Take in what a smart wallet did; of the same twice the later one counts."""
        key = (deal.wallet, deal.side)
        self.deals[key] = max(deal.observed_ms, self.deals.get(key, deal.observed_ms))

    def on_value(self, value: Value) -> None:
        """Take in a reading of one of `COIN_SERIES`."""
        if value.series == EXCHANGE_NETFLOW:
            self.netflow.add(value.observed_ms, value.value)
        else:
            held = self.dex.get(value.series, value)
            self.dex[value.series] = max(held, value)

    def settle(self, at_ms: int) -> None:
        """Let the transfers expire that left their windows by an instant."""
        self.whales.expire(at_ms)
        self.flows.expire(at_ms)

    def forget(self, at_ms: int) -> None:
        """Forget what no component needs at an instant, nor after it."""
        self.settle(at_ms)
        oldest = at_ms - history_ms(self.settings)
        self.hours.forget(oldest)
        self.netflow.forget(oldest)
        self.transfers.own.forget(oldest)
        self.trades.own.forget(oldest)
        since = at_ms - self.settings.smart_window_s * _MS_PER_S
        self.deals = {key: at for key, at in self.deals.items() if at > since}
        self.dex = {name: one for name, one in self.dex.items() if one.observed_ms >= oldest}

    @property
    def is_empty(self) -> bool:
        """Whether nothing is known of it any more."""
        held = (self.whales, self.flows, self.hours.nets, self.netflow.values, self.deals, self.dex)
        looks = (self.transfers.own, self.trades.own)
        return not any(held) and all(look.newest_ms < 0 for look in looks)


class Stablecoins:
    """What is known of all stablecoins together.

    Attributes
    ----------
    flows, hours
        Transfers to and from exchanges in the window, and the net flow of each hour before.
    netflow
        Readings of the net flow of each, by somebody who knows more wallets.
    mints
        What was made and burnt in a day.
    supply
        Their supply by ticker, `MARKET` for all of them.
    transfers
        Who looked at their transfers.
    """

    __slots__ = ("flows", "hours", "mints", "netflow", "settings", "supply", "transfers")

    def __init__(self, settings: OnChainSettings, everything: Everything) -> None:
        self.settings = settings
        self.flows = MoveWindow(settings.stablecoin_window_s * _MS_PER_S)
        self.hours = HourlyNets(settings.flow_history_days, settings.flow_min_hours)
        self.mints = MoveWindow(DAY_MS)
        self.netflow: dict[str, Readings] = {}
        self.supply: dict[str, Readings] = {}
        self.transfers = Watching(new_watch(settings), everything.transfers)

    def on_move(self, move: Move) -> None:
        """Take in a transfer to or from an exchange."""
        self.flows.add(move)
        self.hours.add(move.observed_ms // HOUR_MS, move.dollars)

    def on_mint(self, mint: Mint) -> None:
        """Take in what an issuer made or burnt."""
        self.mints.add(Move(*mint, place=""))

    def on_value(self, value: Value) -> None:
        """Take in a supply, or a reading of a net flow."""
        readings = self.supply if value.series == STABLECOIN_SUPPLY else self.netflow
        readings.setdefault(value.subject, Readings()).add(value.observed_ms, value.value)

    def settle(self, at_ms: int) -> None:
        """Let the transfers expire that left their windows by an instant."""
        self.flows.expire(at_ms)
        self.mints.expire(at_ms)

    def forget(self, at_ms: int) -> None:
        """Forget what no component needs at an instant, nor after it."""
        self.settle(at_ms)
        oldest = at_ms - history_ms(self.settings)
        self.hours.forget(oldest)
        self.transfers.own.forget(oldest)
        self.netflow = _younger(self.netflow, oldest)
        # Twice the age: a supply is compared with the one before it.
        self.supply = _younger(self.supply, at_ms - 2 * self.settings.supply_max_age_s * _MS_PER_S)


def _younger(readings: dict[str, Readings], since_ms: int) -> dict[str, Readings]:
    for one in readings.values():
        one.forget(since_ms)
    return {name: one for name, one in readings.items() if one.values}


def history_ms(settings: OnChainSettings) -> int:
    """Return for how long hours and looks are remembered: those compared with, and the last two.

    A reading that still counts is kept with the hours before it.
    """
    days_ms = settings.flow_history_days * DAY_MS
    return days_ms + 2 * HOUR_MS + settings.netflow_max_age_s * _MS_PER_S

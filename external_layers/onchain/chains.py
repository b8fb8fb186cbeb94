"""All that was told of the chains: every token's inputs, and each note's way to those it is for."""

from external_layers.onchain.inputs import COIN_SERIES, Coin, Everything, Stablecoins
from external_layers.onchain.notes import Deal, Look, Mint, Move, Note, Value
from external_layers.onchain.watch import Watch
from external_layers.sources.facts import EXCHANGE_NETFLOW, MARKET, STABLECOIN_SUPPLY
from scalp_strategy.setting_groups.onchain import OnChainSettings


class Chains:
    """The inputs of single tokens and of stablecoins.

    Attributes
    ----------
    coins
        Tokens of which something was told; no stablecoin among them.
    stablecoins
        All stablecoins.
    everything
        Looks that tell of every token.
    stable_names
        Tickers of stablecoins.
    """

    __slots__ = (
        "_nothing",
        "coins",
        "everything",
        "settings",
        "stable_names",
        "stablecoins",
    )

    def __init__(self, settings: OnChainSettings) -> None:
        self.settings = settings
        self.stable_names = frozenset(settings.stablecoins)
        self.everything = Everything(settings)
        self.stablecoins = Stablecoins(settings, self.everything)
        self.coins: dict[str, Coin] = {}
        self._nothing = Coin("", settings, self.everything)

    def coin(self, token: str) -> Coin:
        """Return a token's inputs, to read; where nothing was told of it alone they are empty."""
        return self.coins.get(token, self._nothing)

    def own(self, token: str) -> Coin:
        """Return a token's inputs, to add to."""
        if token not in self.coins:
            self.coins[token] = Coin(token, self.settings, self.everything)
        return self.coins[token]

    def take(self, note: Note) -> None:
        """Hand a note to those it is for."""
        match note:
            case Move():
                self._take_move(note)
            case Mint():
                self.stablecoins.on_mint(note)
            case Deal():
                self._take_deal(note)
            case Value():
                self._take_value(note)
            case Look():
                for watch in self._watches(note):
                    watch.hear(note.observed_ms)

    def settle(self, at_ms: int) -> None:
        """Let the transfers expire that left their windows by an instant."""
        self.stablecoins.settle(at_ms)
        for coin in self.coins.values():
            coin.settle(at_ms)

    def forget(self, at_ms: int) -> None:
        """Forget what no component needs at an instant, nor after it."""
        self.everything.forget(at_ms)
        self.stablecoins.forget(at_ms)
        for coin in self.coins.values():
            coin.forget(at_ms)
        self.coins = {token: coin for token, coin in self.coins.items() if not coin.is_empty}

    def _take_move(self, move: Move) -> None:
        if move.token in self.stable_names:
            self.stablecoins.on_move(move)
        else:
            self.own(move.token).on_move(move)

    def _take_deal(self, deal: Deal) -> None:
        if deal.token not in self.stable_names:
            self.own(deal.token).on_deal(deal)

    def _take_value(self, value: Value) -> None:
        is_stable = value.subject in self.stable_names
        if value.series == STABLECOIN_SUPPLY or (is_stable and value.series == EXCHANGE_NETFLOW):
            self.stablecoins.on_value(value)
        elif value.series in COIN_SERIES and not is_stable and value.subject != MARKET:
            self.own(value.subject).on_value(value)

    def _watches(self, look: Look) -> tuple[Watch, ...]:
        """Return the watches that a look is for, none for a feed that says nothing here."""
        of_trades = look.feed == "smart_trades"
        if not of_trades and look.feed != "transfers":
            return ()
        if look.subject == MARKET:
            return (self.everything.trades if of_trades else self.everything.transfers,)
        if look.subject in self.stable_names:
            return () if of_trades else (self.stablecoins.transfers.own,)
        coin = self.own(look.subject)
        return (coin.trades.own,) if of_trades else (coin.transfers.own,)

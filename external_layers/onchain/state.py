"""The on-chain layer's state: facts in, transfers worth telling and components out (pure)."""

from collections.abc import Callable, Iterable, Mapping
from heapq import heappop, heappush
from math import isnan
from typing import Any, Final, Self

from external_layers.evidence import NEVER, Evidence
from external_layers.onchain import COMPONENTS, LAYER
from external_layers.onchain.chains import Chains
from external_layers.onchain.notes import Seen, Waiting, kind_of, rows, typed
from external_layers.onchain.reading_facts import key_of, note_of, valued
from external_layers.onchain.saved import read_chains, read_note, saved_chains, saved_note
from external_layers.sources.facts import Fact, Transfer
from scalp_strategy.contract import MARKET_WIDE, Component
from scalp_strategy.errors import PayloadError
from scalp_strategy.setting_groups.onchain import OnChainSettings

VERSION: Final = 1  # of what `to_json` returns
_MS_PER_S: Final = 1_000


class OnChainState:
    """What the chains say of every token.

    A fact counts from the instant on at which it was available, in the windows where it was
    observed. Time never runs back: an instant before the last one that was asked for is answered,
    and stamped, as that one.

    Transfers below `min_transfer_usd` count for nothing. Of a transfer that is told twice the first
    telling that can be valued counts and the others change nothing, for `duplicate_memory_s` after
    it was observed; one that is told later still is left out.

    Attributes
    ----------
    unvalued
        Transfers left out since nobody could tell what they are worth.
    """

    def __init__(self, settings: OnChainSettings) -> None:
        self.unvalued = 0
        self._settings = settings
        self._chains = Chains(settings)
        self._settled_ms = 0
        self._seen: dict[str, int] = {}
        self._waiting: list[Waiting] = []

    def add(self, facts: Iterable[Fact], price: Callable[[str], float]) -> list[Transfer]:
        """Take in facts; return the transfers among them that are worth telling.

        Parameters
        ----------
        facts
            In the order in which they became available, of any kind.
        price
            US dollars of a token now, NaN unknown: what a transfer is worth that does not say so.

        Returns
        -------
        list of Transfer
            Each transfer of at least `min_transfer_usd` once, whoever told it first, with its
            value; one that no exchange or issuer has part in from `wallets_transfer_usd` on.
        """
        told: list[Transfer] = []
        for fact in facts:
            if isinstance(fact, Transfer):
                told += self._on_transfer(fact, price)
            else:
                self._wait(fact)
        return told

    def components(self, pairs: Mapping[str, str], at_ms: int) -> list[Component]:
        """Return what the layer says at an instant.

        Parameters
        ----------
        pairs
            Freqtrade's name of each pair, and its base asset.
        at_ms
            The instant, epoch milliseconds.

        Returns
        -------
        list of Component
            Own rows of the pairs of whose tokens something was ever told, and those of stablecoins
            for `"*"`: what is known of other tokens fills no gap. NaN scores where nothing is
            known. `observed_at_ms` is that of the newest event a score rests on; when nothing
            happened, up to when that was known.
        """
        at = self._settle(at_ms)
        found = {token: self._of_token(token, at) for token in set(pairs.values())}
        own = [
            _component(name, pair, one, at)
            for pair, token in pairs.items()
            for name, one in found[token]
        ]
        return own + [_component(name, MARKET_WIDE, one, at) for name, one in self._of_market(at)]

    def prune(self, at_ms: int) -> None:
        """Forget what no component needs at an instant, nor after it."""
        at = self._settle(at_ms)
        oldest = at - self._settings.duplicate_memory_s * _MS_PER_S
        self._seen = {key: observed for key, observed in self._seen.items() if observed >= oldest}
        self._chains.forget(at)

    def to_json(self) -> dict[str, Any]:
        """Return everything that is remembered, as JSON values."""
        return {
            "version": VERSION,
            "seen": [list(item) for item in self._seen.items()],
            "waiting": [saved_note(one) for one in sorted(self._waiting)],
            "chains": saved_chains(self._chains),
        }

    @classmethod
    def from_json(cls, settings: OnChainSettings, document: Any) -> Self:
        """Return a state that goes on where `to_json` left off.

        Raises
        ------
        PayloadError
            When it is no such document, or of another version.
        """
        version = document.get("version") if isinstance(document, dict) else None
        if version != VERSION:
            raise PayloadError(f"on-chain state of version {version!r}, {VERSION} is understood")
        state = cls(settings)
        seen = [typed(Seen, row) for row in rows(document, "seen")]
        state._seen = {one.key: one.observed_ms for one in seen}
        state._waiting = sorted(read_note(row) for row in rows(document, "waiting"))
        read_chains(state._chains, document.get("chains"))
        return state

    def _on_transfer(self, told: Transfer, price: Callable[[str], float]) -> list[Transfer]:
        """Keep a transfer if it counts and is new; return it if so."""
        transfer = valued(told, price, self._chains.stable_names)
        self.unvalued += isnan(transfer.amount_usd)
        late_ms = transfer.available_at_ms - transfer.observed_at_ms
        is_late = late_ms > self._settings.duplicate_memory_s * _MS_PER_S
        if is_late or not transfer.amount_usd >= self._least_usd(transfer):
            return []
        key = key_of(transfer)
        if key in self._seen:
            return []
        self._seen[key] = transfer.observed_at_ms
        self._wait(transfer)
        return [transfer]

    def _least_usd(self, transfer: Transfer) -> float:
        ends = {transfer.origin.kind, transfer.target.kind}
        is_nobodys = ends.isdisjoint(("exchange", "issuer"))
        return (
            self._settings.wallets_transfer_usd if is_nobodys else self._settings.min_transfer_usd
        )

    def _wait(self, fact: Fact) -> None:
        note = note_of(fact, self._chains.stable_names)
        if note is not None:
            kind = kind_of(note)
            heappush(self._waiting, Waiting(fact.available_at_ms, note.observed_ms, kind, note))

    def _settle(self, at_ms: int) -> int:
        """Take in what is known by an instant; return it, or the last one when that is later."""
        self._settled_ms = at = max(self._settled_ms, at_ms)
        while self._waiting and self._waiting[0].available_ms <= at:
            self._chains.take(heappop(self._waiting).note)
        self._chains.settle(at)
        return at

    def _of_token(self, token: str, at_ms: int) -> list[tuple[str, Evidence]]:
        """Return what is said of a token, nothing for what nobody ever told of."""
        if token in self._chains.stable_names:
            return []
        coin = self._chains.coin(token)
        found = [(each.name, each.coin(coin, at_ms)) for each in COMPONENTS if each.coin]
        return [(name, one) for name, one in found if one.observed_ms != NEVER]

    def _of_market(self, at_ms: int) -> list[tuple[str, Evidence]]:
        """Return what is said of the whole market."""
        coins = self._chains.stablecoins
        return [
            (each.name, each.stablecoins(coins, at_ms)) for each in COMPONENTS if each.stablecoins
        ]


def _component(name: str, pair: str, found: Evidence, at_ms: int) -> Component:
    if found.observed_ms != NEVER:
        found = found._replace(observed_ms=min(max(found.observed_ms, 0), at_ms))
    return found.component(LAYER, name, pair, at_ms)

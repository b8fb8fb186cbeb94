"""The on-chain and the sentiment layer side by side: facts in, the rows that are due out (pure).

Their scores change seldom, so only what changed is given; at the last instant before a 15m close,
where decisions are made, also what only grew older or reads differently, and now and then a row
that stands still, so that no reader forgets it.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from external_layers.onchain.state import OnChainState
from external_layers.sentiment.state import SentimentState
from external_layers.sentiment.trend import Candles15m
from external_layers.sources.facts import BTC_DOMINANCE, FEAR_GREED, Fact, Transfer
from scalp_strategy.contract import CANDLE_MS, MARKET_WIDE, Component
from scalp_strategy.errors import PayloadError
from scalp_strategy.settings import Settings

_VERSION: Final = 1
_MS_PER_S: Final = 1_000

Key = tuple[str, str, str]  # layer, name, pair


class SlowLayers:
    """What the slow layers know, and what was given of it.

    Parameters
    ----------
    settings
        The effective settings.
    """

    def __init__(self, settings: Settings) -> None:
        self.onchain = OnChainState(settings.onchain)
        self.sentiment = SentimentState(settings)
        self._settings = settings
        self._given: dict[Key, Component] = {}

    def take(self, facts: Iterable[Fact], price: Callable[[str], float]) -> list[Transfer]:
        """Take facts in the order they became available; return the transfers worth telling."""
        facts = list(facts)
        self.sentiment.add(facts)
        return self.onchain.add(facts, price)

    def due(
        self, pairs: Mapping[str, str], candles: Mapping[str, Candles15m], at_ms: int
    ) -> list[Component]:
        """Return the components that have to be published at an instant.

        Parameters
        ----------
        pairs
            The watched pairs: Freqtrade's name to token.
        candles
            Closed 15m candles by token, oldest first.
        at_ms
            The instant, epoch milliseconds: their `available_at`.
        """
        made = self.all_of(pairs, candles, at_ms)
        is_last = self._is_last_before_close(at_ms)
        due = [one for one in made if self._is_due(one, is_last=is_last)]
        current = {_key(one) for one in made}
        self._given = {key: one for key, one in self._given.items() if key in current}
        self._given |= {_key(one): one for one in due}
        return due

    def all_of(
        self, pairs: Mapping[str, str], candles: Mapping[str, Candles15m], at_ms: int
    ) -> list[Component]:
        """Return all components at an instant, due or not; parameters as in `due`."""
        return [
            *self.onchain.components(pairs, at_ms),
            *self.sentiment.components(pairs, candles, at_ms),
        ]

    def snapshot(self) -> dict[str, float | str | None]:
        """Return what sentiment says of the whole market; None and NaN are unknown."""
        regime, macro, social = (
            self._given.get(("sentiment", name, MARKET_WIDE))
            for name in ("market_regime", "macro_correlation", "social_sentiment")
        )
        return {
            "fear_greed": self.sentiment.latest(FEAR_GREED),
            "btc_dominance": self.sentiment.latest(BTC_DOMINANCE),
            "social": social.long if social is not None else None,
            "regime": _state(regime, "regime"),
            "macro": _state(macro, "macro"),
        }

    def prune(self, at_ms: int) -> None:
        """Forget what no component needs any more."""
        self.onchain.prune(at_ms)
        self.sentiment.prune(at_ms)

    def to_json(self) -> dict[str, Any]:
        """Return what has to be remembered over a restart."""
        return {
            "version": _VERSION,
            "onchain": self.onchain.to_json(),
            "sentiment": self.sentiment.to_json(),
        }

    @classmethod
    def from_json(cls, settings: Settings, document: Any) -> "SlowLayers":
        """Return the layers of a document made by `to_json`.

        Raises
        ------
        PayloadError
            When it is none.
        """
        if not isinstance(document, dict) or document.get("version") != _VERSION:
            raise PayloadError(f"no memory of the slow layers of version {_VERSION}")
        layers = cls(settings)
        layers.onchain = OnChainState.from_json(settings.onchain, document.get("onchain"))
        layers.sentiment = SentimentState.from_json(settings, document.get("sentiment"))
        return layers

    def _is_last_before_close(self, at_ms: int) -> bool:
        step = self._settings.sidecar.publish_s * _MS_PER_S
        return (at_ms + step) // CANDLE_MS != at_ms // CANDLE_MS

    def _is_due(self, one: Component, *, is_last: bool) -> bool:
        held = self._given.get(_key(one))
        if held is None or _score(one) != _score(held):
            return True
        if one.available_at_ms - held.available_at_ms >= self._renew_ms:
            return True
        is_other = one.observed_at_ms != held.observed_at_ms or one.reason != held.reason
        return is_last and is_other

    @property
    def _renew_ms(self) -> int:
        return self._settings.sidecar.slow_renew_s * _MS_PER_S


def _key(one: Component) -> Key:
    return one.layer, one.name, one.pair


def _state(one: Component | None, kind: str) -> str | None:
    flags = one.flags if one is not None else ()
    found = (flag.removeprefix(f"{kind}=") for flag in flags if flag.startswith(f"{kind}="))
    return next(found, None)


def _score(one: Component) -> tuple[object, ...]:
    # Compared as text, since NaN is never equal to itself.
    return repr(one.long), repr(one.short), one.flags

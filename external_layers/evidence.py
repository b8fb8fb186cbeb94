"""What a component finds before it becomes a `Component`: scores, reason, age, flags."""

from math import isnan, nan
from typing import Final, NamedTuple

from external_layers.anchors import NEUTRAL
from scalp_strategy.contract import Component

NEVER: Final = -1  # the time of an input that never came


class Evidence(NamedTuple):
    """Support for long and short, 0..100 or both NaN, and the newest input that it rests on.

    `observed_ms` is `NEVER` when there was no input at all.
    """

    long: float
    short: float
    reason: str = ""
    observed_ms: int = NEVER
    flags: tuple[str, ...] = ()

    @property
    def is_known(self) -> bool:
        """Whether it says anything at all, be it neutral."""
        return not isnan(self.long)

    @property
    def strength(self) -> float:
        """Points by which the side that differs most is away from saying nothing."""
        return max(abs(self.long - NEUTRAL), abs(self.short - NEUTRAL))

    def component(self, layer: str, name: str, pair: str, at_ms: int) -> Component:
        """Return it as what a layer's component says of a pair, known at an instant.

        What rests on no input at all is of that instant.
        """
        observed_ms = at_ms if self.observed_ms == NEVER else self.observed_ms
        return Component(
            layer,
            name,
            pair,
            self.long,
            self.short,
            observed_ms,
            at_ms,
            self.reason,
            self.flags,
        )


def unknown(observed_ms: int = NEVER) -> Evidence:
    """Return evidence of nothing; the last input that came may still be told."""
    return Evidence(nan, nan, "", observed_ms)


def joined(*reasons: str) -> str:
    """Return the reasons that are not empty, one after another."""
    return "; ".join(reason for reason in reasons if reason)

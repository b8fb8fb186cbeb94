"""One piece of evidence, with when it was true and when it could be known."""

from dataclasses import dataclass, field
from math import isfinite, isnan, nan
from typing import Any, Final

from scalp_strategy.errors import ContractViolation, PayloadError

SCHEMA_VERSION: Final = 1
MARKET_WIDE: Final = "*"  # the pair of evidence that speaks for every pair
_MAX_SCORE: Final = 100.0
_FIELDS: Final = 10


@dataclass(frozen=True, slots=True)
class Component:
    """What one component of a layer says of one pair.

    Attributes
    ----------
    layer, name
        E.g. ``"orderflow"`` and ``"trade_flow"``.
    pair
        Freqtrade's name of the pair, or ``"*"`` for the whole market.
    long, short
        Support for that trade, 0..100, 50 = says nothing; both NaN = unknown.
    observed_at_ms
        When it was true: epoch milliseconds of the newest input, on the exchange's clock.
    available_at_ms
        When it could be known: epoch milliseconds, never before `observed_at_ms`.
    reason
        In words, with the numbers; empty when there is nothing to say.
    flags
        States beside the score, e.g. ``"vanishing"`` or ``"regime=RISK_OFF"``; no commas.
    version
        Of this schema.

    Raises
    ------
    ContractViolation
        When the scores are out of range, one of them alone is unknown, the times are reversed, or
        a flag holds a comma.
    """

    layer: str
    name: str
    pair: str
    long: float
    short: float
    observed_at_ms: int
    available_at_ms: int
    reason: str = ""
    flags: tuple[str, ...] = ()
    version: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        is_unknown = isnan(self.long) and isnan(self.short)
        if not is_unknown and not (_is_score(self.long) and _is_score(self.short)):
            raise ContractViolation(
                f"{self.layer}.{self.name} of {self.pair}: scores {self.long}, {self.short} must "
                "both be in 0..100 or both NaN"
            )
        if self.available_at_ms < self.observed_at_ms:
            raise ContractViolation(
                f"{self.layer}.{self.name} of {self.pair}: known at {self.available_at_ms}, "
                f"before it was true at {self.observed_at_ms}"
            )
        if any("," in flag for flag in self.flags):
            raise ContractViolation(f"a flag with a comma: {self.flags}")

    @property
    def is_known(self) -> bool:
        """Whether it says anything at all, be it neutral."""
        return not isnan(self.long)


@dataclass(frozen=True, slots=True)
class LayerScore:
    """What a layer says at an instant.

    Attributes
    ----------
    long, short
        0..100; NaN when no component is known.
    reliability
        0..1: share of the component weight that is known, times its freshness.
    reasons
        The components' reasons, the heaviest contribution first.
    ages_s
        Age of each known component's input in seconds, by name.
    """

    long: float
    short: float
    reliability: float
    reasons: tuple[str, ...] = ()
    ages_s: dict[str, float] = field(default_factory=dict)


def to_wire(component: Component) -> list[Any]:
    """Return a component as the JSON array that the services exchange; unknown is null."""
    known = component.is_known
    return [
        component.layer,
        component.name,
        component.pair,
        component.long if known else None,
        component.short if known else None,
        component.observed_at_ms,
        component.available_at_ms,
        component.reason,
        ",".join(component.flags),
        component.version,
    ]


def from_wire(row: Any) -> Component:
    """Return the component of a JSON array made by `to_wire`.

    Raises
    ------
    PayloadError
        When it is no such array, of another schema version, or breaks the contract.
    """
    if not isinstance(row, list) or len(row) != _FIELDS:
        raise PayloadError(f"no component: {str(row)[:120]}")
    layer, name, pair, long, short, observed, available, reason, flags, version = row
    if version != SCHEMA_VERSION:
        raise PayloadError(f"component of schema {version!r}, {SCHEMA_VERSION} is understood")
    texts, times = (layer, name, pair, reason, flags), (observed, available)
    is_typed = all(type(text) is str for text in texts) and all(type(one) is int for one in times)
    scores = [one for one in (long, short) if one is not None]
    if not is_typed or observed < 0 or not all(type(one) in (int, float) for one in scores):
        raise PayloadError(f"no component: {str(row)[:120]}")
    try:
        return Component(
            layer,
            name,
            pair,
            nan if long is None else float(long),
            nan if short is None else float(short),
            observed,
            available,
            reason,
            tuple(flags.split(",")) if flags else (),
        )
    except (ContractViolation, TypeError, ValueError) as error:
        raise PayloadError(str(error)) from error


def _is_score(value: float) -> bool:
    return isfinite(value) and 0.0 <= value <= _MAX_SCORE

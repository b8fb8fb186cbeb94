"""The trade plan: stop, three targets, what they pay and cost (pure, no I/O)."""

import json
import math
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final, Literal, Self, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalp_strategy.contract import SIDES, Side, sign_of
from scalp_strategy.errors import ContractViolation, PayloadError
from scalp_strategy.setting_groups.risk import RiskSettings

FloatArray = NDArray[np.float64]
PriceKind = Literal["stop", "target"]

_PLAN_VERSION: Final = 1
_TARGETS: Final = 3
# A quotient this near to a whole number is one that binary fractions could not express.
_STEP_TOLERANCE: Final = 1e-11
# What reading a document of the wrong shape can raise.
_GARBAGE: Final = (
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    OverflowError,
    RecursionError,
    ContractViolation,
)


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a trade is not made: a sentence that names the numbers, and a stable code."""

    reason: str
    code: str


@dataclass(frozen=True, slots=True)
class Market:
    """The exchange's rules for one pair.

    `min_notional` is in quote currency (0 = none), `amount_step` in contracts and `price_tick` in
    quote currency per unit; `maintenance_margin_ratio` is a share of the position's value.
    """

    is_futures: bool
    min_notional: float
    amount_step: float
    price_tick: float
    max_leverage: float = 1.0
    contract_size: float = 1.0
    maintenance_margin_ratio: float = 0.0

    @property
    def step(self) -> float:
        """Smallest change of an amount, in base currency."""
        return self.amount_step * self.contract_size


def step_count(value: float, step: float) -> int:
    """Return how many whole steps fit into a value: floor(value / step), safe for 0.3 / 0.1.

    Examples
    --------
    >>> step_count(0.3, 0.1)
    3
    """
    quotient = value / step
    nearest = round(quotient)
    is_whole = math.isclose(quotient, nearest, rel_tol=_STEP_TOLERANCE, abs_tol=_STEP_TOLERANCE)
    return nearest if is_whole else math.floor(quotient)


@lru_cache(maxsize=1024)
def digits_of(step: float) -> int:
    """Return how many digits after the point a multiple of `step` needs.

    Examples
    --------
    >>> digits_of(0.05), digits_of(1e-06), digits_of(10.0)
    (2, 6, 0)
    """
    if not (math.isfinite(step) and step > 0):
        raise ContractViolation(f"a step must be a positive number, not {step}")
    exponent = Decimal(repr(float(step))).normalize().as_tuple().exponent
    return max(0, -int(exponent))


def from_steps(count: int, step: float) -> float:
    """Return `count` steps as the float nearest to the decimal number meant."""
    return round(count * step, digits_of(step))


def price_to_tick(price: float, tick: float, side: Side, kind: PriceKind) -> float:
    """Round a stop or a target to the exchange's tick, towards the entry.

    A long's stop is rounded up and its target down, a short's the other way round. So the risk is
    never above the planned one, and no gain is counted that the exchange cannot pay.

    Parameters
    ----------
    price : float
        The exact price, quote currency.
    tick : float
        The exchange's price step, above 0.
    side : {"long", "short"}
        Direction of the trade.
    kind : {"stop", "target"}
        What the price is.

    Returns
    -------
    float
        A multiple of `tick`; NaN where `price` is NaN.
    """
    if math.isnan(price):
        return math.nan
    rounds_up = (side == "long") == (kind == "stop")
    count = -step_count(-price, tick) if rounds_up else step_count(price, tick)
    return from_steps(count, tick)


@overload
def stop_distance(
    atr: float, price: float, settings: RiskSettings, factor: float = 1.0
) -> float: ...
@overload
def stop_distance(
    atr: ArrayLike, price: ArrayLike, settings: RiskSettings, factor: ArrayLike = 1.0
) -> FloatArray: ...
def stop_distance(
    atr: ArrayLike, price: ArrayLike, settings: RiskSettings, factor: ArrayLike = 1.0
) -> FloatArray | float:
    """Return the distance of the stop: max(ATR * multiplier * factor, floor), or NaN.

    Parameters
    ----------
    atr : float or array, shape (n,)
        Average true range, in price units.
    price : float or array, shape (n,)
        Entry price.
    settings : RiskSettings
        `atr_multiplier`, `sl_floor_pct` and `sl_max_pct`.
    factor : float or array, default 1.0
        Factor of the multiplier (a choppy market has a tighter stop).

    Returns
    -------
    float or array, shape (n,)
        Price units, above 0. NaN where an input is unknown or not positive and where the distance
        is above `sl_max_pct` of the price (too volatile for a scalp). A float for floats.

    Notes
    -----
    Row by row: no look-back, causal. Source: specification 8.2, with the floor moving the stop
    price, the targets and the size, not only the percentage.
    """
    known_atr, known_price, known_factor = (
        np.where(np.isfinite(values) & (values > 0), values, np.nan)
        for values in (np.asarray(given, dtype=np.float64) for given in (atr, price, factor))
    )
    with np.errstate(over="ignore"):  # an absurd ATR is too wide, as any other
        wanted = known_atr * settings.atr_multiplier * known_factor
    distance = np.maximum(wanted, known_price * settings.sl_floor_pct / 100)
    is_allowed = distance <= known_price * settings.sl_max_pct / 100
    allowed = np.where(is_allowed, distance, np.nan)
    return float(allowed) if allowed.ndim == 0 else allowed


@dataclass(frozen=True, slots=True)
class TradePlan:
    """One trade's levels, all derived from the entry price and frozen distances.

    Parameters
    ----------
    side : {"long", "short"}
        Direction of the trade.
    price : float
        Entry price: the signal's close, or the average fill once anchored.
    atr : float
        ATR at the signal, price units; the trailing stop uses it to the end.
    distance : float
        Stop distance, price units: 1 R.
    target_r : tuple of 3 floats
        Distances of the targets in R, rising.
    legs : tuple of 3 floats
        Shares of the position closed at the targets.
    cost_ratio : float
        Cost of the round trip as a ratio of the entry price.
    is_floored : bool
        Whether the stop was widened to the floor.

    Raises
    ------
    ContractViolation
        When a number is unknown, out of range or puts a level at or below zero.
    """

    side: Side
    price: float
    atr: float
    distance: float
    target_r: tuple[float, float, float]
    legs: tuple[float, float, float]
    cost_ratio: float
    is_floored: bool

    def __post_init__(self) -> None:
        numbers = (self.price, self.atr, self.distance, self.cost_ratio, *self.target_r, *self.legs)
        if self.side not in SIDES or not all(math.isfinite(number) for number in numbers):
            raise ContractViolation(
                f"a plan needs a side and known numbers: {self.side}, {numbers}"
            )
        if min(self.atr, self.distance, *self.legs, self.lowest_price) <= 0 or self.cost_ratio < 0:
            raise ContractViolation(f"a plan's numbers must be positive: {numbers}")

    @property
    def stop(self) -> float:
        """The initial stop price."""
        return self.at_r(-1.0)

    @property
    def targets(self) -> tuple[float, float, float]:
        """The three target prices, nearest first."""
        first, second, third = self.target_r
        return self.at_r(first), self.at_r(second), self.at_r(third)

    @property
    def stop_ratio(self) -> float:
        """Stop distance as a ratio of the entry price."""
        return self.distance / self.price

    @property
    def sl_pct(self) -> float:
        """Stop distance in % of the entry price."""
        return self.stop_ratio * 100

    @property
    def cost_r(self) -> float:
        """Cost of the round trip in R."""
        return self.cost_ratio / self.stop_ratio

    @property
    def gross_rr(self) -> float:
        """Reward/risk of the second, primary target before costs."""
        return self.target_r[1]

    @property
    def net_rr(self) -> float:
        """Reward/risk after costs: (target 2 - cost) / (stop + cost)."""
        return (self.gross_rr - self.cost_r) / (1 + self.cost_r)

    @property
    def lowest_price(self) -> float:
        """The lowest price among entry, stop and targets: what an exit is worth at worst."""
        return min(self.price, self.stop, *self.targets)

    def at_r(self, multiple: float) -> float:
        """Return the price at which the trade has made `multiple` R (below 0: lost)."""
        return self.price + sign_of(self.side) * multiple * self.distance

    def anchored(self, price: float) -> Self:
        """Return the plan moved to another entry price, the distances frozen in price units."""
        return replace(self, price=price)

    def to_json(self) -> str:
        """Return the plan as compact JSON; every float survives the round trip exactly."""
        document = {"v": _PLAN_VERSION, **asdict(self)}
        return json.dumps(document, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the plan that `to_json` wrote.

        Raises
        ------
        PayloadError
            When the text is no JSON, of another version, or not a valid plan.
        """
        try:
            document = json.loads(text)
            if document.pop("v") != _PLAN_VERSION:
                raise PayloadError(f"a trade plan of another version: {text[:200]!r}")
            return cls(
                side=document.pop("side"),
                target_r=_three(document.pop("target_r")),
                legs=_three(document.pop("legs")),
                is_floored=_flag(document.pop("is_floored")),
                **{name: _number(value) for name, value in document.items()},
            )
        except _GARBAGE as error:
            raise PayloadError(f"not a trade plan: {str(text)[:200]!r}") from error


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is not a number")
    return float(value)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{value!r} is not true or false")
    return value


def _three(values: Any) -> tuple[float, float, float]:
    if not isinstance(values, list) or len(values) != _TARGETS:
        raise TypeError(f"{values!r} is not a list of three numbers")
    first, second, third = (_number(value) for value in values)
    return first, second, third


def trade_plan(
    side: Side, price: float, atr: float, settings: RiskSettings, factor: float = 1.0
) -> TradePlan | Rejection:
    """Plan a trade at `price`, or say why there is none.

    Parameters
    ----------
    side : {"long", "short"}
        Direction of the trade.
    price : float
        The signal's close.
    atr : float
        ATR of the signal's candle, price units.
    settings : RiskSettings
        Stop range, targets, legs, costs and the reward/risk limits.
    factor : float, default 1.0
        Factor of the ATR multiplier.

    Returns
    -------
    TradePlan or Rejection
        Rejection codes: `unknown_price`, `unknown_atr`, `unknown_factor`, `stop_too_wide`,
        `reward_risk`, `net_reward_risk`.

    Notes
    -----
    Source: specification 8.2 (stop, targets, R:R); the net reward/risk is this project's.
    """
    for name, value in (("price", price), ("atr", atr), ("factor", factor)):
        if not (math.isfinite(value) and value > 0):
            return Rejection(f"{name} is not known: {value}", f"unknown_{name}")
    distance = stop_distance(atr, price, settings, factor)
    wanted = atr * settings.atr_multiplier * factor
    if math.isnan(distance):
        wanted_pct = wanted / price * 100
        return Rejection(
            f"stop {wanted_pct:.3g} % is wider than the {settings.sl_max_pct:g} % allowed",
            "stop_too_wide",
        )
    plan = TradePlan(
        side=side,
        price=price,
        atr=atr,
        distance=distance,
        target_r=settings.ladder.target_r,
        legs=settings.ladder.legs,
        cost_ratio=2 * settings.cost_per_side,
        is_floored=wanted < distance,
    )
    return _unpaid_risk(plan, settings) or plan


def _unpaid_risk(plan: TradePlan, settings: RiskSettings) -> Rejection | None:
    if plan.gross_rr < settings.min_rr_ratio:
        reason = f"reward/risk {plan.gross_rr:.2f} is below the {settings.min_rr_ratio:g} required"
        return Rejection(reason, "reward_risk")
    if settings.min_net_rr > 0 and plan.net_rr < settings.min_net_rr:
        reason = (
            f"reward/risk after costs of {plan.cost_r:.2f} R is {plan.net_rr:.2f}, "
            f"below the {settings.min_net_rr:g} required"
        )
        return Rejection(reason, "net_reward_risk")
    return None


def entry_drift_r(plan: TradePlan, rate: float) -> float:
    """Return how far a rate is from the planned entry, in R: |rate - price| / distance.

    Adverse and favourable drift count alike: a price that ran is another trade, and one that fell
    back may be the stop-out on its way. NaN for an unknown rate.
    """
    return abs(rate - plan.price) / plan.distance


def has_drifted(plan: TradePlan, rate: float, settings: RiskSettings) -> bool:
    """Return whether an entry at `rate` must be refused; an unknown rate is refused too."""
    return not entry_drift_r(plan, rate) <= settings.max_entry_drift_r

"""The position size: % risk model, portfolio heat, margin, leverage, minimum (pure, no I/O)."""

import math
from dataclasses import dataclass
from typing import Literal

from scalp_strategy.contract import Side, sign_of
from scalp_strategy.errors import ContractViolation
from scalp_strategy.risk.ladder import Leg, merged_legs
from scalp_strategy.risk.plan import Market, Rejection, TradePlan, from_steps, step_count
from scalp_strategy.setting_groups.risk import RiskSettings, SizingSettings

__all__ = ["AccountView", "Market", "PositionSize", "liquidation_price", "position_size"]

LimitedBy = Literal[
    "risk", "heat", "margin per position", "leverage", "liquidation", "free balance", "amount step"
]
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class AccountView:
    """The account as a size needs it, in quote currency.

    `equity` is everything owned, `free_balance` what no position and no order binds, `open_risk`
    the money lost if every open position and pending entry were stopped now, and `open_exposure`
    their value.
    """

    equity: float
    free_balance: float
    open_risk: float
    open_exposure: float
    open_positions: int


@dataclass(frozen=True, slots=True)
class PositionSize:
    """A size that may be traded; money in quote currency, `amount` in base currency.

    `risk_quote` and `risk_pct` (of equity) are what the stop costs after every reduction, before
    fees. `stake` is the margin, notional / leverage. `limited_by` names the tightest limit.
    """

    risk_quote: float
    risk_pct: float
    notional: float
    stake: float
    leverage: float
    amount: float
    size_pct: float
    legs: tuple[Leg, ...]
    limited_by: LimitedBy


@dataclass(frozen=True, slots=True)
class _Notional:
    value: float
    limited_by: LimitedBy

    def within(self, limit: float, name: LimitedBy) -> "_Notional":
        """Return what a limit leaves; the limit is named where it takes more than rounding."""
        is_binding = limit < self.value * (1 - _ROUNDING)
        return _Notional(min(limit, self.value), name if is_binding else self.limited_by)


@dataclass(frozen=True, slots=True)
class _Margin:
    """The most margin a position may bind, at the highest leverage allowed, and why no more."""

    cap: float
    leverage: float
    limited_by: LimitedBy


def liquidation_price(
    side: Side, price: float, leverage: float, maintenance_margin_ratio: float
) -> float:
    """Return the liquidation price of an isolated position.

    long: entry * (1 - (1 / leverage - mmr)); short: entry * (1 + (1 / leverage - mmr)). Fees and
    funding are left out; the buffer behind the stop is for them.
    """
    return price * (1 - sign_of(side) * (1 / leverage - maintenance_margin_ratio))


def position_size(  # noqa: PLR0913 - each input has another owner
    plan: TradePlan,
    score: float,
    account: AccountView,
    market: Market,
    settings: RiskSettings,
    size_factor: float = 1.0,
    *,
    max_positions: int,
) -> PositionSize | Rejection:
    """Size a planned trade, or say why it is not made.

    The intended risk is equity * `risk_per_trade_pct` * the score's share * `size_factor`, and the
    notional is that risk / the stop ratio. Portfolio heat, margin per position, free balance,
    leverage, liquidation and the amount step can only make it smaller.

    Parameters
    ----------
    plan : TradePlan
        Side, entry price and stop distance.
    score : float
        Confluence score, 0..100, as compared with the tiers (already rounded).
    account : AccountView
        Equity, free balance and what is open, pending entries included.
    market : Market
        The exchange's rules for the pair.
    settings : RiskSettings
        The group `sizing`, and the ladder's legs through the plan.
    size_factor : float, default 1.0
        Product of the breakers' and the regime's factors, 0..1.
    max_positions : int
        How many positions share the equity as margin, at least 1.

    Returns
    -------
    PositionSize or Rejection
        Rejection codes: `unknown_account`, `score`, `size_factor`, `heat`, `free_balance`,
        `liquidation`, `minimum`.

    Raises
    ------
    ContractViolation
        When `size_factor` is above 1 or `max_positions` below 1.

    Notes
    -----
    Source: specification 8.2. Money at the stop never exceeds the intended risk nor, with
    `heat_basis` "risk", the heat that is left. A trade that fits whole is taken even when little
    heat is left; only one that must shrink is subject to `min_heat_share`, as specified.
    """
    if size_factor > 1 or max_positions < 1:
        raise ContractViolation(f"size factor {size_factor}, at most {max_positions} positions")
    intended = _intended_risk(score, account, settings.sizing, size_factor)
    if isinstance(intended, Rejection):
        return intended
    wanted = _Notional(intended / plan.stop_ratio, "risk")
    heated = _within_heat(wanted, plan, account, settings.sizing)
    if isinstance(heated, Rejection):
        return heated
    margin = _margin(plan, account, market, settings.sizing, max_positions)
    if isinstance(margin, Rejection):
        return margin
    notional = heated.within(margin.cap * margin.leverage, margin.limited_by)
    return _sized(notional, plan, market, margin, settings, account.equity)


def _intended_risk(
    score: float, account: AccountView, sizing: SizingSettings, size_factor: float
) -> float | Rejection:
    amounts = (account.equity, account.free_balance, account.open_risk, account.open_exposure)
    if not all(math.isfinite(amount) for amount in amounts) or account.equity <= 0:
        return Rejection(f"account is not known or empty: {account}", "unknown_account")
    share = next((share for least, share in sizing.score_tiers if score >= least), None)
    if share is None:
        least = sizing.score_tiers[-1][0]
        return Rejection(f"score {score:g} is below the {least:g} that is traded", "score")
    if not size_factor > 0:
        return Rejection(f"size factor is {size_factor:g}", "size_factor")
    return account.equity * sizing.risk_per_trade_pct / 100 * share * size_factor


def _within_heat(
    wanted: _Notional, plan: TradePlan, account: AccountView, sizing: SizingSettings
) -> _Notional | Rejection:
    """Shrink a notional to the heat that is left; heat per notional depends on the basis."""
    is_risk = sizing.heat_basis == "risk"
    heat_per_notional = plan.stop_ratio if is_risk else 1.0
    used = account.open_risk if is_risk else account.open_exposure
    limit = account.equity * sizing.max_heat_pct / 100
    left = limit - max(used, 0.0)
    fitting = wanted.within(max(left, 0.0) / heat_per_notional, "heat")
    if fitting.limited_by != "heat" or left >= limit * sizing.min_heat_share * (1 - _ROUNDING):
        return fitting
    left_pct, needed_pct = (
        part / account.equity * 100 for part in (max(left, 0.0), limit * sizing.min_heat_share)
    )
    return Rejection(
        f"{left_pct:.2f} % of the {sizing.max_heat_pct:g} % portfolio heat is left, "
        f"{needed_pct:.2f} % needed",
        "heat",
    )


def _margin(
    plan: TradePlan,
    account: AccountView,
    market: Market,
    sizing: SizingSettings,
    max_positions: int,
) -> _Margin | Rejection:
    usable = account.free_balance * (1 - sizing.balance_reserve_pct / 100)
    if usable <= 0:
        return Rejection(f"free balance {account.free_balance:.2f} is used up", "free_balance")
    share = account.equity / max_positions
    capped_by: LimitedBy = "free balance" if usable < share else "margin per position"
    cap = min(usable, share)
    if not market.is_futures:
        return _Margin(cap, 1.0, capped_by)
    highest = _floored_leverage(max(1.0, min(sizing.max_leverage, market.max_leverage)), sizing)
    safe = _safe_leverage(plan, market, sizing)
    if safe < 1:
        reason = f"stop {plan.sl_pct:.3g} % is too near the liquidation price even at leverage 1"
        return Rejection(reason, "liquidation")
    if safe < highest:
        return _Margin(cap, _floored_leverage(safe, sizing), "liquidation")
    is_by_leverage = capped_by == "margin per position" and highest > 1
    return _Margin(cap, highest, "leverage" if is_by_leverage else capped_by)


def _safe_leverage(plan: TradePlan, market: Market, sizing: SizingSettings) -> float:
    """Return the leverage at which liquidation lies `liquidation_buffer` beyond the stop."""
    needed = plan.stop_ratio * (1 + sizing.liquidation_buffer)
    return 1 / (needed + market.maintenance_margin_ratio)


def _floored_leverage(leverage: float, sizing: SizingSettings) -> float:
    steps = step_count(leverage, sizing.leverage_step)
    return max(1.0, from_steps(steps, sizing.leverage_step))


def _least_leverage(notional: float, margin: _Margin, sizing: SizingSettings) -> float:
    """Return the smallest leverage at which the stake fits the margin."""
    steps = -step_count(-notional / margin.cap, sizing.leverage_step)
    return min(margin.leverage, max(1.0, from_steps(steps, sizing.leverage_step)))


def _sized(
    wanted: _Notional,
    plan: TradePlan,
    market: Market,
    margin: _Margin,
    settings: RiskSettings,
    equity: float,
) -> PositionSize | Rejection:
    sizing = settings.sizing
    amount = from_steps(step_count(wanted.value / plan.price, market.step), market.step)
    least = sizing.min_stake_factor * market.min_notional
    if amount <= 0 or amount * plan.lowest_price < least:
        return Rejection(
            f"a position of {wanted.value:.2f} (limited by {wanted.limited_by}) is below the "
            f"{max(least, market.step * plan.price):.2f} the exchange's minimum asks for",
            "minimum",
        )
    notional = amount * plan.price
    is_coarse = notional <= wanted.value * (1 - sizing.coarse_step_share)
    leverage = _least_leverage(notional, margin, sizing)
    return PositionSize(
        risk_quote=amount * plan.distance,
        risk_pct=amount * plan.distance / equity * 100,
        notional=notional,
        stake=notional / leverage,
        leverage=leverage,
        amount=amount,
        size_pct=notional / equity * 100,
        legs=merged_legs(plan, amount, market, settings),
        limited_by="amount step" if is_coarse else wanted.limited_by,
    )

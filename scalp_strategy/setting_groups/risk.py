"""Settings of the risk engine."""

from itertools import pairwise
from typing import Literal, Self

from pydantic import model_validator

from scalp_strategy.setting_groups.base import Group, setting

_SHARE_TOLERANCE = 1e-9


class LadderSettings(Group):
    """Tunables of the exit: targets, scale-out, trailing and time stop."""

    target_r: tuple[float, float, float] = setting(
        (1.5, 2.5, 4.0),
        "Distance of the three targets in multiples of the stop distance, rising; the second is "
        "the primary one.",
    )
    legs: tuple[float, float, float] = setting(
        (0.4, 0.4, 0.2), "Share of the position closed at each target; they sum to 1."
    )
    trail_atr: float = setting(
        1.0,
        "After the second target the stop follows the best close at this many entry ATRs.",
        gt=0,
        le=10,
    )
    target_hold_candles: int = setting(
        4, "Candles a trade is meant to last; nothing is closed by it.", ge=1, le=200
    )
    max_hold_candles: int = setting(
        8, "Candles after which what is left is closed at the market.", ge=1, le=200
    )

    time_stop_reprice_s: int = setting(
        15, "Seconds after which a time stop that is not filled is priced anew.", ge=1, le=900
    )
    partial_fill_wait_s: int = setting(
        30,
        "Seconds after which a half-filled target is cancelled and its rest placed again.",
        ge=1,
        le=7_200,
    )

    @model_validator(mode="after")
    def _check_targets_and_legs(self) -> Self:
        first, second, third = self.target_r
        if not 0 < first < second < third:
            raise ValueError(f"target_r must rise from above 0, not {self.target_r}")
        if min(self.legs) <= 0 or abs(sum(self.legs) - 1) > _SHARE_TOLERANCE:
            raise ValueError(f"legs must be above 0 and sum to 1, not {self.legs}")
        if self.target_hold_candles > self.max_hold_candles:
            raise ValueError("target_hold_candles must not be above max_hold_candles")
        return self


class SizingSettings(Group):
    """Tunables of the position size: risk per trade, heat, leverage, minimum order."""

    risk_per_trade_pct: float = setting(
        1.5, "Money at risk in one trade at full confidence, % of equity.", gt=0, le=10
    )
    score_tiers: tuple[tuple[float, float], ...] = setting(
        ((85.0, 1.0), (75.0, 0.75), (65.0, 0.5)),
        "Confluence score from which on a share of the risk is taken, highest score first; "
        "a score below the last one is not traded.",
        min_length=1,
    )
    max_heat_pct: float = setting(
        6.0, "Portfolio heat that may not be exceeded, % of equity.", gt=0, le=1000
    )
    heat_basis: Literal["risk", "exposure"] = setting(
        "risk",
        "What heat means: 'risk', the money at risk at the current stops, or 'exposure', the "
        "positions' value.",
    )
    min_heat_share: float = setting(
        1 / 6,
        "A trade that must shrink to fit is rejected when less than this share of the heat limit "
        "is left (1.0 of 6.0).",
        ge=0,
        le=1,
    )
    max_leverage: float = setting(
        5.0, "Highest leverage on futures; the exchange's own limit holds as well.", ge=1, le=125
    )
    leverage_step: float = setting(1.0, "Leverage is a multiple of this.", gt=0, le=5)
    liquidation_buffer: float = setting(
        0.5,
        "The liquidation price lies beyond the stop by at least this share of the stop distance.",
        ge=0,
        le=10,
    )
    min_stake_factor: float = setting(
        1.5,
        "No position and no part of it is smaller than this multiple of the exchange's minimum.",
        ge=1,
        le=10,
    )
    balance_reserve_pct: float = setting(
        1.0, "Share of the free balance left alone for fees, %.", ge=0, lt=100
    )
    coarse_step_share: float = setting(
        0.05,
        "Rounding down to the amount step is named as the limit of a size when it takes at least "
        "this share of it.",
        gt=0,
        le=1,
    )

    @model_validator(mode="after")
    def _check_score_tiers(self) -> Self:
        scores = [score for score, _ in self.score_tiers]
        if any(low >= high for high, low in pairwise(scores)):
            raise ValueError(f"score_tiers must fall by score, not {scores}")
        shares = [share for _, share in self.score_tiers]
        if not all(0 < share <= 1 for share in shares):
            raise ValueError(f"score_tiers' shares must be in (0, 1], not {shares}")
        return self


class RiskSettings(Group):
    """Tunables of plan, size and ladder."""

    atr_multiplier: float = setting(1.5, "Stop distance in ATRs.", gt=0, le=10)
    sl_floor_pct: float = setting(
        0.3, "A stop nearer than this is widened to it, % of the entry price.", gt=0, le=10
    )
    sl_max_pct: float = setting(
        3.0, "A stop wider than this rejects the trade, % of the entry price.", gt=0, le=20
    )
    min_rr_ratio: float = setting(
        2.0, "Lowest reward/risk of the second target before costs.", ge=0, le=100
    )
    min_net_rr: float = setting(
        0.0, "Lowest reward/risk of the second target after costs; 0 switches it off.", ge=0, le=100
    )
    fee_pct: float = setting(0.1, "Trading fee per side, % of the traded value.", ge=0, le=5)
    slippage_pct: float = setting(0.05, "Slippage per side, % of the traded value.", ge=0, le=5)
    max_entry_drift_r: float = setting(
        0.25, "An entry further than this from the signal's price is refused, in R.", ge=0, le=10
    )
    choppy_size_factor: float = setting(
        0.5, "Size factor while the market regime is CHOPPY.", gt=0, le=1
    )
    choppy_stop_factor: float = setting(
        0.8, "Factor of the ATR multiple while the market regime is CHOPPY.", gt=0, le=2
    )
    sizing: SizingSettings = SizingSettings()
    ladder: LadderSettings = LadderSettings()

    @property
    def cost_per_side(self) -> float:
        """Fee plus slippage of one side as a ratio of the traded value (0.0015 = 0.15 %)."""
        return (self.fee_pct + self.slippage_pct) / 100

    @model_validator(mode="after")
    def _check_stop_range(self) -> Self:
        if self.sl_floor_pct >= self.sl_max_pct:
            raise ValueError(
                f"sl_floor_pct ({self.sl_floor_pct}) must be below sl_max_pct ({self.sl_max_pct})"
            )
        furthest_pct = self.sl_max_pct * self.ladder.target_r[-1]
        if furthest_pct >= 100:
            raise ValueError(
                f"the last target may be {furthest_pct:g} % away, so a short's could be below zero"
            )
        return self

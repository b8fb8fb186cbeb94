"""Settings of the backtest report, its go-live gate and the hyperopt loss."""

from itertools import pairwise
from typing import Annotated, Self

from pydantic import Field, model_validator

from scalp_strategy.setting_groups.base import Group, setting

MAX_COST_PER_SIDE = 0.05

CostPerSide = Annotated[float, Field(ge=0, le=MAX_COST_PER_SIDE)]
Share = Annotated[float, Field(ge=0, le=1)]


class GateSettings(Group):
    """The specification's minimum performance before any money is at risk (12.3).

    A value that equals its threshold does not pass, and neither does an unknown one.
    """

    win_rate_above_pct: float = setting(55.0, "Win rate, % of trades.", ge=0, lt=100)
    profit_factor_above: float = setting(1.5, "Gross profit / gross loss.", ge=0)
    max_drawdown_below_pct: float = setting(15.0, "Drawdown of closed equity, %.", gt=0)
    sharpe_above: float = setting(1.2, "Annualised Sharpe ratio of daily returns.")
    average_rr_above: float = setting(1.5, "Average winner / average loser, in R.", ge=0)
    losing_run_below: int = setting(8, "Longest run of losing trades.", ge=1)
    trades_above: int = setting(200, "Closed trades.", ge=0)


class ReportSettings(Group):
    """What `scalp report` computes and what it judges by."""

    gate: GateSettings = GateSettings()
    gate_cost: CostPerSide = setting(
        0.0015, "Cost per side the gate judges at: 0.1 % fee + 0.05 % slippage."
    )
    costs: tuple[CostPerSide, ...] = setting(
        (0.0015, 0.0007, 0.0002), "Costs per side, as ratios, at which the report is made."
    )
    confidence: float = setting(0.95, "Level of every interval.", gt=0.5, lt=1)
    bootstrap_draws: int = setting(2000, "Resamples of the mean-R interval.", ge=100, le=100_000)
    bootstrap_seed: int = setting(15, "Seed of the resampling; the same report twice.", ge=0)
    coverage_edges: tuple[Share, ...] = setting(
        (0.3, 0.6, 0.8), "Bounds of the coverage bands, ascending."
    )
    walk_forward_train_months: int = setting(2, "Months to train on.", ge=1, le=60)
    walk_forward_test_months: int = setting(1, "Months to test on after them.", ge=1, le=60)
    reconciliation_tolerance: float = setting(
        1e-5, "Gap to the host's profit that is called rounding, as a ratio of the notional.", gt=0
    )

    @model_validator(mode="after")
    def _check_edges(self) -> Self:
        if any(low >= high for low, high in pairwise(self.coverage_edges)):
            raise ValueError(f"coverage_edges must ascend, not {self.coverage_edges}")
        return self


class LossSettings(Group):
    """The terms of the hyperopt loss; see `scalp_strategy.validation.loss`."""

    prior_trades: float = setting(
        50.0, "Imagined trades of zero R the mean is shrunk with; 0 = no shrinking.", ge=0
    )
    min_std_r: float = setting(
        0.5, "Floor of the standard deviation of R: a few alike trades prove nothing.", gt=0
    )
    min_trades: int = setting(100, "Trades below which the shortage is penalised.", ge=1)
    shortage_weight: float = setting(
        20.0, "Penalty for no trades at all, in units of the t-statistic.", ge=0
    )
    max_drawdown_pct: float = setting(15.0, "Drawdown above which the excess is penalised.", gt=0)
    drawdown_weight: float = setting(
        2.0, "Penalty for every further max_drawdown_pct of drawdown, in units of t.", ge=0
    )

"""All performance measures of one backtest at one cost per side."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from scalp_strategy.setting_groups.report import ReportSettings
from scalp_strategy.validation import metrics
from scalp_strategy.validation.metrics import FloatArray
from scalp_strategy.validation.results import BacktestRun
from scalp_strategy.validation.trade_table import cost_at, net_profit, net_r

MS_PER_MINUTE = 60_000
MS_PER_DAY = 86_400_000


@dataclass(frozen=True)
class TradeLine:
    """One trade worth naming."""

    pair: str
    opened: str
    net_r: float
    profit: float


@dataclass(frozen=True)
class Performance:
    """What the trades earned at one cost; NaN where the trades do not determine a measure.

    Money measures (win rate, profit factor, drawdown, Sharpe, losing run, totals) cover all trades:
    net profit and net R have the same sign. R measures cover the trades whose risk is known.
    """

    cost_per_side: float
    trades: int
    unknown_r: int
    win_rate_pct: float
    win_rate_low_pct: float
    win_rate_high_pct: float
    break_even_win_rate_pct: float
    profit_factor: float
    average_r: float
    average_r_low: float
    average_r_high: float
    average_winner_r: float
    average_loser_r: float
    payoff: float
    max_drawdown_pct: float
    sharpe: float
    losing_run: int
    cost_per_trade_r: float
    cost_share_pct: float
    total_profit: float
    total_profit_pct: float
    average_hold_minutes: float
    best_trade: TradeLine | None
    worst_trade: TradeLine | None


def performance(run: BacktestRun, cost_per_side: float, settings: ReportSettings) -> Performance:
    """Return all measures of a run at a cost per side; see `metrics` for each formula.

    Parameters
    ----------
    run : BacktestRun
        Trades with their risk. Sizes stay as the backtest chose them.
    cost_per_side : float
        Fee + slippage of one fill as a ratio of its notional.
    settings : ReportSettings
        Confidence and resampling of the intervals.
    """
    table = run.trades
    profit, earned_r = net_profit(table, cost_per_side), net_r(table, cost_per_side)
    wins = int((profit > 0).sum())
    win_low, win_high = metrics.wilson_interval(wins, len(profit), settings.confidence)
    r_low, r_high = _mean_r_interval(table, earned_r, settings)
    payoff = metrics.payoff_ratio(earned_r)
    cost = cost_at(table, cost_per_side)
    return Performance(
        cost_per_side=cost_per_side,
        trades=len(profit),
        unknown_r=int(np.isnan(earned_r).sum()),
        win_rate_pct=100 * metrics.win_rate(profit),
        win_rate_low_pct=100 * win_low,
        win_rate_high_pct=100 * win_high,
        break_even_win_rate_pct=100 * metrics.break_even_win_rate(payoff),
        profit_factor=metrics.profit_factor(profit),
        average_r=metrics.mean(earned_r),
        average_r_low=r_low,
        average_r_high=r_high,
        average_winner_r=metrics.average_winner(earned_r),
        average_loser_r=metrics.average_loser(earned_r),
        payoff=payoff,
        max_drawdown_pct=metrics.max_drawdown_pct(profit, run.starting_balance),
        sharpe=_sharpe(run, profit),
        losing_run=metrics.longest_losing_run(profit),
        cost_per_trade_r=metrics.mean(cost / table["risk"].to_numpy(np.float64)),
        cost_share_pct=100 * metrics.cost_share(cost, table["gross"].to_numpy(np.float64)),
        total_profit=float(profit.sum()),
        total_profit_pct=100 * float(profit.sum()) / run.starting_balance,
        average_hold_minutes=metrics.mean(_hold_minutes(table)),
        best_trade=_line(table, profit, earned_r, int(profit.argmax())) if len(profit) else None,
        worst_trade=_line(table, profit, earned_r, int(profit.argmin())) if len(profit) else None,
    )


def _mean_r_interval(
    table: pd.DataFrame, earned_r: FloatArray, settings: ReportSettings
) -> metrics.Interval:
    day = table["closed_ms"].to_numpy(np.int64) // MS_PER_DAY
    return metrics.clustered_mean_interval(
        earned_r, day, settings.confidence, settings.bootstrap_draws, settings.bootstrap_seed
    )


def _sharpe(run: BacktestRun, profit: FloatArray) -> float:
    day = run.trades["closed_ms"].to_numpy(np.int64) // MS_PER_DAY
    span = np.append(day, [run.start_ms // MS_PER_DAY, run.end_ms // MS_PER_DAY])
    first, days = int(span.min()), int(np.ptp(span)) + 1
    returns = metrics.daily_returns(profit, day - first, days, run.starting_balance)
    return metrics.sharpe_ratio(returns)


def _hold_minutes(table: pd.DataFrame) -> FloatArray:
    return ((table["closed_ms"] - table["opened_ms"]) / MS_PER_MINUTE).to_numpy(np.float64)


def _line(table: pd.DataFrame, profit: FloatArray, earned_r: FloatArray, at: int) -> TradeLine:
    opened = pd.Timestamp(int(table["opened_ms"].iloc[at]), unit="ms")
    return TradeLine(
        pair=str(table["pair"].iloc[at]),
        opened=f"{opened:%Y-%m-%d %H:%M}",
        net_r=float(earned_r[at]),
        profit=float(profit[at]),
    )

"""The go-live gate: the specification's thresholds, and one plain sentence about the outcome."""

from dataclasses import dataclass
from typing import Literal, Protocol

from scalp_strategy.setting_groups.report import GateSettings
from scalp_strategy.validation.performance import Performance


@dataclass(frozen=True)
class Check:
    """One threshold of the gate; `value` may be NaN, and unknown never passes."""

    name: str
    value: float
    sign: Literal["<", ">"]
    threshold: float

    @property
    def is_passed(self) -> bool:
        """Whether the value is strictly on the right side of the threshold."""
        if self.sign == ">":
            return self.value > self.threshold
        return self.value < self.threshold


class Judged(Protocol):
    """What the gate looks at, of a backtest or of a bot's own trades."""

    @property
    def win_rate_pct(self) -> float:
        """Share of trades with a net profit, percent."""

    @property
    def profit_factor(self) -> float:
        """Gains over losses, net."""

    @property
    def max_drawdown_pct(self) -> float:
        """Deepest fall of the equity, percent."""

    @property
    def sharpe(self) -> float:
        """Of daily returns, per year."""

    @property
    def payoff(self) -> float:
        """Average winner over average loser, in R."""

    @property
    def losing_run(self) -> int:
        """Longest row of losses."""

    @property
    def trades(self) -> int:
        """How many there are."""


def gate_checks(performance: Judged, gate: GateSettings) -> tuple[Check, ...]:
    """Return the seven checks of the specification's section 12.3 in its order."""
    return (
        Check("win rate %", performance.win_rate_pct, ">", gate.win_rate_above_pct),
        Check("profit factor", performance.profit_factor, ">", gate.profit_factor_above),
        Check("max drawdown %", performance.max_drawdown_pct, "<", gate.max_drawdown_below_pct),
        Check("Sharpe ratio", performance.sharpe, ">", gate.sharpe_above),
        Check("average R:R achieved", performance.payoff, ">", gate.average_rr_above),
        Check("consecutive losses", performance.losing_run, "<", gate.losing_run_below),
        Check("sample size", performance.trades, ">", gate.trades_above),
    )


def verdict(performance: Performance, checks: tuple[Check, ...]) -> str:
    """Return the outcome of the gate in one sentence.

    Notes
    -----
    Passing all checks is a condition for the next step, paper trading; it is no promise.
    """
    if performance.trades == 0:
        return "No trades: there is nothing to judge; the go-live gate is not passed."
    failed = sum(not check.is_passed for check in checks)
    earned = _earned(performance)
    if failed:
        return (
            f"FAILS the go-live gate on {failed} of {len(checks)}: {earned}; "
            "do not trade it with money."
        )
    return f"PASSES the go-live gate on all {len(checks)}: {earned}; paper-trade it next."


def cost_text(cost_per_side: float) -> str:
    """Return a ratio as a percentage.

    Examples
    --------
    >>> cost_text(0.0015), cost_text(0.00025)
    ('0.15 %', '0.025 %')
    """
    return f"{100 * cost_per_side:.4g} %"


def _earned(performance: Performance) -> str:
    cost = f"at {cost_text(performance.cost_per_side)} a side"
    value = performance.average_r
    if value > 0:
        return f"it earns {value:.2f} R a trade {cost}"
    if value <= 0:
        return f"it loses {-value:.2f} R a trade {cost}"
    return f"what it earns a trade in R is unknown {cost}"


def cautions(performance: Performance, gate: GateSettings) -> tuple[str, ...]:
    """Return what forbids a firm conclusion: small sample, chance, unknown risk."""
    p = performance
    if p.trades == 0:
        return ()
    found = []
    if p.trades <= gate.trades_above:
        found.append(
            f"The sample of {p.trades} is too small to conclude: the gate asks for more than "
            f"{gate.trades_above} trades."
        )
    if p.win_rate_low_pct <= p.break_even_win_rate_pct <= p.win_rate_high_pct:
        found.append(
            f"The win rate's interval, {p.win_rate_low_pct:.1f} to {p.win_rate_high_pct:.1f} %, "
            f"includes the break-even win rate of {p.break_even_win_rate_pct:.1f} %: this could be "
            "profit or loss by chance."
        )
    if p.average_r_low <= 0 <= p.average_r_high:
        found.append(
            f"The mean R's interval, {p.average_r_low:.2f} to {p.average_r_high:.2f} R, includes 0."
        )
    if p.unknown_r:
        found.append(
            f"{p.unknown_r} of {p.trades} trades have no signal candle or no stop in it: they "
            "count in money, but not in R."
        )
    return tuple(found)

"""Performance measures of closed trades: pure functions of NumPy arrays.

`net` is a 1-D float array with one value per trade, in quote currency or in R, ordered by closing
time where the order matters. NaN entries (unknown trades) are left out. A measure that the trades
do not determine is NaN: never 0, never infinity.
"""

from statistics import NormalDist

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Interval = tuple[float, float]

DAYS_PER_YEAR = 365
UNKNOWN: Interval = (np.nan, np.nan)


def known(values: FloatArray) -> FloatArray:
    """Return the values that are not NaN, in their order."""
    return values[~np.isnan(values)]


def mean(values: FloatArray) -> float:
    """Return the arithmetic mean of the known values; NaN when there are none."""
    values = known(values)
    return float(values.mean()) if values.size else np.nan


def win_rate(net: FloatArray) -> float:
    """Return the share of trades with ``net > 0``, in [0, 1]; a scratch (0) is no win.

    Examples
    --------
    >>> win_rate(np.array([1.0, -1.0, 0.0, 2.0]))
    0.5
    """
    return mean(np.where(np.isnan(net), np.nan, (net > 0).astype(np.float64)))


def wilson_interval(wins: int, trades: int, confidence: float) -> Interval:
    """Return Wilson's score interval of a win rate.

    ``(p + z²/2n ± z sqrt(p(1-p)/n + z²/4n²)) / (1 + z²/n)`` with ``p = wins / trades`` and ``z``
    the two-sided normal quantile.

    Parameters
    ----------
    wins, trades : int
        Winning and all trades.
    confidence : float
        Level of the interval, such as 0.95.

    Returns
    -------
    tuple of float
        Lower and upper bound in [0, 1]; NaN without trades.

    Notes
    -----
    Takes the trades as independent. Trades of one hour in many pairs are not, so the true interval
    is wider.

    References
    ----------
    Wilson (1927), Probable inference, the law of succession, and statistical inference.
    """
    if trades == 0:
        return UNKNOWN
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = wins / trades
    centre = share + z**2 / (2 * trades)
    half = z * np.sqrt(share * (1 - share) / trades + (z / (2 * trades)) ** 2)
    scale = 1 + z**2 / trades
    low, high = float((centre - half) / scale), float((centre + half) / scale)
    return max(0.0, min(low, share)), min(1.0, max(high, share))


def clustered_mean_interval(
    values: FloatArray, clusters: IntArray, confidence: float, draws: int, seed: int
) -> Interval:
    """Return a percentile bootstrap interval of the mean that resamples whole clusters.

    Every draw takes as many clusters as there are, with replacement, and divides the sum of their
    values by their count.

    Parameters
    ----------
    values : array of float, shape (n,)
        One value per trade; NaN is left out.
    clusters : array of int, shape (n,)
        The cluster of each trade, such as its closing day: trades of one day move together.
    confidence, draws, seed
        Level of the interval, number of resamples, seed.

    Returns
    -------
    tuple of float
        Lower and upper bound; NaN with fewer than two clusters.

    References
    ----------
    Cameron, Gelbach and Miller (2008), Bootstrap-based improvements for inference with clustered
    errors; Efron's percentile method.
    """
    is_known = ~np.isnan(values)
    unique, position = np.unique(clusters[is_known], return_inverse=True)
    if unique.size < 2:
        return UNKNOWN
    sums = np.bincount(position, weights=values[is_known])
    sizes = np.bincount(position)
    shares = np.full(unique.size, 1 / unique.size)
    picks = np.random.default_rng(seed).multinomial(unique.size, shares, size=draws)
    means = (picks @ sums) / (picks @ sizes)
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def profit_factor(net: FloatArray) -> float:
    """Return gross profit / gross loss, ``sum(net > 0) / |sum(net < 0)|``; NaN without a loss."""
    net = known(net)
    loss = -float(net[net < 0].sum())
    return float(net[net > 0].sum()) / loss if loss > 0 else np.nan


def average_winner(net: FloatArray) -> float:
    """Return the mean of ``net > 0``; NaN without a winner."""
    net = known(net)
    return mean(net[net > 0])


def average_loser(net: FloatArray) -> float:
    """Return the mean of ``net <= 0``, a number <= 0; NaN without a loser."""
    net = known(net)
    return mean(net[net <= 0])


def payoff_ratio(net: FloatArray) -> float:
    """Return average winner / |average loser|; NaN when one of them is unknown or zero."""
    loser = -average_loser(net)
    return average_winner(net) / loser if loser > 0 else np.nan


def break_even_win_rate(payoff: float) -> float:
    """Return ``1 / (1 + payoff)``: the win rate at which this payoff ratio earns nothing.

    Examples
    --------
    >>> break_even_win_rate(1.5)
    0.4
    """
    return 1 / (1 + payoff)


def max_drawdown_pct(net: FloatArray, starting_balance: float) -> float:
    """Return the deepest fall of closed equity from its peak, in % of that peak.

    ``max((peak - equity) / peak) * 100`` with ``equity = start + cumsum(net)`` and the peak never
    below the start.

    Returns
    -------
    float
        At least 0; above 100 once the account is lost. Open positions are not marked to market.
    """
    equity = starting_balance + np.concatenate([[0.0], np.cumsum(known(net))])
    peak = np.maximum.accumulate(equity)
    return float(np.max((peak - equity) / peak)) * 100


def longest_losing_run(net: FloatArray) -> int:
    """Return the greatest number of trades in a row that did not win (``net <= 0``).

    Examples
    --------
    >>> longest_losing_run(np.array([-1.0, 2.0, -1.0, 0.0, -1.0, 1.0]))
    3
    """
    net = known(net)
    wins = np.flatnonzero(net > 0)
    return int(np.max(np.diff(np.concatenate([[-1], wins, [net.size]])))) - 1


def daily_returns(net: FloatArray, day: IntArray, days: int, starting_balance: float) -> FloatArray:
    """Return what was closed on each day as a ratio of the equity at that day's start.

    Parameters
    ----------
    net : array of float, shape (n,)
        Profit per trade in quote currency.
    day : array of int, shape (n,)
        Day of closing, 0 = the first day of the backtest.
    days : int
        Calendar days of the backtest.
    starting_balance : float
        Equity before the first trade.

    Returns
    -------
    array of float, shape (days,)
        0 for a day without a closed trade; NaN from the day on at which no equity is left.
    """
    profit = np.bincount(day, weights=net, minlength=days)
    equity = starting_balance + np.concatenate([[0.0], np.cumsum(profit)[:-1]])
    is_alive = np.minimum.accumulate(equity) > 0
    returns: FloatArray = np.divide(
        profit, equity, out=np.full(profit.size, np.nan), where=is_alive
    )
    return returns


def sharpe_ratio(returns: FloatArray) -> float:
    """Return the annualised Sharpe ratio of daily returns, risk-free rate 0.

    ``sqrt(365) * mean / std`` with the sample standard deviation (n - 1): crypto trades every day.

    Returns
    -------
    float
        NaN with fewer than two days, without variation, or when a day's return is unknown.
    """
    if returns.size < 2 or np.isnan(returns).any():
        return np.nan
    deviation = float(returns.std(ddof=1))
    return float(returns.mean()) / deviation * DAYS_PER_YEAR**0.5 if deviation > 0 else np.nan


def cost_share(cost: FloatArray, gross: FloatArray) -> float:
    """Return ``sum(cost) / sum(|gross|)``: how much of all price movement caught goes to cost.

    Returns
    -------
    float
        At least 0, above 1 when cost exceeds the movement; NaN when nothing moved.
    """
    moved = float(np.abs(gross).sum())
    return float(cost.sum()) / moved if moved > 0 else np.nan

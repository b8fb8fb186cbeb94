"""The hyperopt loss: how surely a set of parameters earned R, not how much one lucky month did.

::

    t       = n / (n + prior_trades) * mean(R) / max(std(R), min_std_r) * sqrt(n)
    excess  = max(0, drawdown % / max_drawdown_pct - 1)
    missing = max(0, 1 - n / min_trades)
    loss    = -t + drawdown_weight * excess + shortage_weight * missing

R is net of the fees and funding of the run, n the number of trades. The first factor shrinks the
mean towards zero as if `prior_trades` trades of 0 R had been seen as well: a set that trades rarely
has to earn more before it is believed. The shortage makes "never trade" worse than a losing set
that trades enough, so that the optimiser has a slope to follow.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from scalp_strategy.setting_groups.report import LossSettings
from scalp_strategy.validation import metrics
from scalp_strategy.validation.metrics import FloatArray
from scalp_strategy.validation.results import timeframe_ms
from scalp_strategy.validation.section import section
from scalp_strategy.validation.trade_table import trade_table, with_signals


def loss(net_r: FloatArray, drawdown_pct: float, settings: LossSettings) -> float:
    """Return the loss of a set of trades: smaller is better; formula in the module's docstring.

    Parameters
    ----------
    net_r : array of float, shape (n,)
        Net R per trade; NaN (unknown risk) does not count as a trade.
    drawdown_pct : float
        Maximum drawdown of closed equity, %.
    settings : LossSettings
        Prior, floors and weights.

    Returns
    -------
    float
        Finite; `shortage_weight` without any trade.
    """
    earned = metrics.known(net_r)
    excess = max(0.0, drawdown_pct / settings.max_drawdown_pct - 1)
    missing = max(0.0, 1 - earned.size / settings.min_trades)
    penalty = settings.drawdown_weight * excess + settings.shortage_weight * missing
    return penalty - shrunk_t(earned, settings)


def shrunk_t(net_r: FloatArray, settings: LossSettings) -> float:
    """Return the t-statistic of the shrunk mean R: ``n/(n+k) * mean / std * sqrt(n)``.

    Returns
    -------
    float
        0 without trades; the standard deviation (n - 1) is never below `min_std_r`.
    """
    n = net_r.size
    if n == 0:
        return 0.0
    deviation = max(float(net_r.std(ddof=1)) if n > 1 else 0.0, settings.min_std_r)
    shrunk = float(net_r.mean()) * n / (n + settings.prior_trades)
    return shrunk / deviation * float(np.sqrt(n))


def epoch_loss(
    results: pd.DataFrame,
    processed: Mapping[str, pd.DataFrame],
    starting_balance: float,
    config: Mapping[str, Any],
) -> float:
    """Return the loss of one hyperopt epoch from what the host hands to a loss function.

    Parameters
    ----------
    results : DataFrame
        The epoch's trades, with their `orders`.
    processed : mapping of str to DataFrame
        Pair to analysed candles, with `date`, `close` and `sl_pct`.
    starting_balance : float
        Equity before the first trade, quote currency.
    config : mapping
        The host's config: `timeframe`, and `scalp.loss` when present.

    Raises
    ------
    PayloadError
        When there are trades, but no candle has a stop distance.
    ConfigError
        When `scalp.loss` is invalid.
    """
    settings = section(config, LossSettings, "loss")
    closed = trade_table(results.to_dict("records"))  # type: ignore[arg-type]
    if closed.empty:
        return loss(np.empty(0), 0.0, settings)
    table = with_signals(closed, processed, timeframe_ms(str(config["timeframe"])))
    profit = table["host_profit"].to_numpy(np.float64)
    drawdown_pct = metrics.max_drawdown_pct(profit, starting_balance)
    return loss(profit / table["risk"].to_numpy(np.float64), drawdown_pct, settings)

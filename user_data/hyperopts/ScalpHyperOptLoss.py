"""The project's hyperopt loss as the host's plug-in: ``--hyperopt-loss ScalpHyperOptLoss``."""

from typing import Any

from freqtrade.optimize.hyperopt import IHyperOptLoss
from pandas import DataFrame

from scalp_strategy.validation.loss import epoch_loss


class ScalpHyperOptLoss(IHyperOptLoss):
    """How surely an epoch earned R, less drawdown and too few trades."""

    @staticmethod
    def hyperopt_loss_function(
        *,
        results: DataFrame,
        processed: dict[str, DataFrame],
        config: dict[str, Any],
        starting_balance: float,
        **_: Any,
    ) -> float:
        """Return the loss of one epoch; smaller is better."""
        return epoch_loss(results, processed, starting_balance, config)

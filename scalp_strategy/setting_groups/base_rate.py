"""Settings of the base-rate layer."""

from scalp_strategy.setting_groups.base import Group, setting


class BaseRateSettings(Group):
    """How the past of a setup becomes a score.

    The priors are worth what the spread of setups is in truth: variance of a result over variance
    between setups. 200 takes setups to differ by 0.07 R from each other, results by 1 R.
    """

    half_life_days: float = setting(
        45.0, "Days after which a past occurrence counts half.", ge=0.5, le=3_650
    )
    prior_all: float = setting(
        200.0,
        "Occurrences that the overall rate is worth when a setup's rate over all pairs is shrunk.",
        gt=0,
        le=1e6,
    )
    prior_pair: float = setting(
        200.0,
        "Occurrences that the rate over all pairs is worth when the pair's own is shrunk.",
        gt=0,
        le=1e6,
    )
    points_per_r: float = setting(
        100.0,
        "Points for each R by which a setup beats the overall mean result before cost.",
        gt=0,
        le=1_000,
    )
    min_samples: float = setting(
        10.0,
        "Occurrences over all pairs, decayed and without overlap, below which nothing is said.",
        ge=0,
        le=1e6,
    )
    tercile_candles: int = setting(
        288, "Candles among which the volatility's tercile is found.", ge=30, le=2_000
    )
    memory_days: int = setting(
        270, "Days of outcomes that a bot remembers over restarts.", ge=1, le=3_650
    )
    save_minutes: int = setting(
        60,
        "Minutes between two writes of that memory; what a kill loses is found in the candles.",
        ge=15,
        le=1_440,
    )

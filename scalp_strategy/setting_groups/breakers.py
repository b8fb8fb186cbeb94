"""Settings of the nine circuit breakers."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from scalp_strategy.setting_groups.base import Group, setting

Hour = Annotated[int, Field(ge=0, le=23)]


class BreakerSettings(Group):
    """Thresholds of the circuit breakers."""

    max_concurrent_positions: int = setting(5, "Open and pending positions at most.", ge=1, le=50)
    max_daily_drawdown_pct: float = setting(
        5.0, "Loss since 00:00 UTC, in percent of that equity, that pauses everything.", gt=0, le=50
    )
    max_signals_per_hour: int = setting(10, "Signals sent per hour at most.", ge=1, le=1_000)
    revenge_cooldown_s: int = setting(
        900, "Seconds a pair rests after a full stop-loss.", ge=0, le=86_400
    )
    win_streak_threshold: int = setting(5, "Wins in a row that shrink the size.", ge=1, le=100)
    win_streak_size_factor: float = setting(0.5, "Size factor while the streak lasts.", gt=0, le=1)
    correlation_block: float = setting(
        0.85, "Correlation with an open position of the same side that blocks.", ge=0, le=1
    )
    correlation_cluster: float = setting(
        0.70, "Correlation from which two pairs belong to one cluster.", ge=0, le=1
    )
    correlation_cluster_max: int = setting(
        2, "Positions of one side in one cluster at most.", ge=1, le=50
    )
    correlation_days: int = setting(30, "Days of 1h returns for correlations.", ge=2, le=365)
    low_quality_hours: tuple[Hour, ...] = setting(
        (4, 5, 6, 7, 20, 21, 22, 23), "UTC hours in which the bar is higher."
    )
    low_quality_shift: float = setting(
        5.0, "Points added to both tier thresholds in those hours.", ge=0, le=50
    )
    correlation_min_hours: int = setting(
        168,
        "Common hours below which a correlation is unknown; an unknown one counts as of one "
        "cluster.",
        ge=24,
        le=8_760,
    )
    volatility_atr_ratio: float = setting(
        3.0, "ATR over its own mean that means chaos.", gt=1, le=20
    )
    volatility_mean_candles: int = setting(20, "Candles in that mean.", ge=2, le=500)
    volatility_range_ratio: float = setting(
        3.0, "Last true range over ATR that means chaos.", gt=1, le=20
    )
    macro_btc_move_pct: float = setting(
        5.0, "BTC move in an hour, either way, that pauses everything.", gt=0, le=50
    )
    macro_sp500_pause_pct: float = setting(
        -2.0, "S&P 500 move in an hour that pauses everything.", ge=-50, lt=0
    )
    macro_sp500_danger_pct: float = setting(
        -1.0, "S&P 500 move in an hour that raises the danger flag.", ge=-50, lt=0
    )
    macro_dxy_pause_pct: float = setting(
        1.0, "Dollar-index move in an hour that pauses everything.", gt=0, le=50
    )
    macro_dxy_danger_pct: float = setting(
        0.5, "Dollar-index move in an hour that raises the danger flag.", gt=0, le=50
    )

    macro_danger_size_factor: float = setting(
        0.5, "Size factor while the macro state is DANGER.", gt=0, le=1
    )

    @model_validator(mode="after")
    def _danger_before_pause(self) -> Self:
        if self.macro_sp500_danger_pct < self.macro_sp500_pause_pct:
            raise ValueError("macro_sp500_danger_pct must not be below macro_sp500_pause_pct")
        if self.macro_dxy_danger_pct > self.macro_dxy_pause_pct:
            raise ValueError("macro_dxy_danger_pct must not be above macro_dxy_pause_pct")
        if self.correlation_cluster > self.correlation_block:
            raise ValueError("correlation_cluster must not be above correlation_block")
        return self

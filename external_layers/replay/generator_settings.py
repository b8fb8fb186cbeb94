"""The generator's constants, each with its meaning: a market is this group and a seed."""

from datetime import date

from scalp_strategy.setting_groups.base import Group, setting

_HOURLY_VOLATILITY = (
    *(1.15, 1.00, 0.95, 0.90, 0.85, 0.82, 0.85, 0.95, 1.05, 1.00, 0.95, 0.95),
    *(1.05, 1.30, 1.50, 1.40, 1.25, 1.10, 1.05, 1.00, 0.95, 0.90, 0.85, 0.95),
)


class GeneratorSettings(Group):
    """Shape of the generated market; the defaults resemble 2024-2026 USD-M perpetuals."""

    epoch: date = setting(date(2022, 1, 1), "First day of every random stream (market time).")
    horizon_days: int = setting(4383, "Days after the epoch for which the market exists.", ge=400)
    listed_from: date = setting(date(2024, 1, 1), "First day of candles of a usual symbol.")
    late_listings: dict[str, date] = setting(
        {"ENAUSDT": date(2026, 9, 1), "WLDUSDT": date(2026, 10, 1)},
        "First day of candles of recently listed symbols.",
    )
    cached_days: int = setting(700, "Day blocks kept in memory (0.1 MB each).", ge=8)

    market_daily_volatility: float = setting(
        0.0175, "Common factor, standard deviation a day.", gt=0
    )
    daily_persistence: float = setting(
        0.985, "Share of a log-price deviation left a day later.", lt=1
    )
    volatility_persistence: float = setting(0.97, "AR(1) of hourly log-volatility.", lt=1)
    volatility_spread: float = setting(0.42, "Standard deviation of hourly log-volatility.", ge=0)
    burst_spread: float = setting(0.38, "Standard deviation of quarter-hour log-volatility.", ge=0)
    tail_degrees: float = setting(5.0, "Degrees of freedom of a minute's Student t return.", gt=2)

    regime_hours: float = setting(20.0, "Mean length of a regime in hours.", gt=1)
    regime_shape: float = setting(1.6, "Gamma shape of regime lengths.", gt=0)
    regime_odds: tuple[float, float, float, float] = setting(
        (0.22, 0.22, 0.38, 0.18), "Chance of trend up, trend down, chop, high volatility."
    )
    regime_volatility: tuple[float, float, float, float] = setting(
        (0.95, 1.05, 0.8, 1.6), "Volatility multiplier of each regime."
    )
    trend_strength: float = setting(0.65, "Drift of a trend, in daily volatilities a day.", ge=0)
    chop_pull: float = setting(
        0.5, "Share of the last hour's mean move that chop takes back.", ge=0
    )

    jump_odds: float = setting(0.07, "Chance of a jump a day, per factor.", ge=0, le=1)
    jump_size: float = setting(0.9, "Median jump in daily volatilities.", ge=0)

    hourly_volatility: tuple[float, ...] = setting(
        _HOURLY_VOLATILITY, "Volatility by hour of the day, UTC.", min_length=24, max_length=24
    )
    volume_response: float = setting(0.9, "Elasticity of volume to volatility.", ge=0)
    volume_noise: float = setting(0.45, "Standard deviation of a minute's log-volume.", ge=0)
    trades_response: float = setting(0.6, "Elasticity of the number of trades to volume.", ge=0)
    return_to_volume: float = setting(
        0.55, "Extra volume per standard deviation of |return|.", ge=0
    )
    return_to_taker: float = setting(
        0.10, "Shift of the taker-buy share per sigma of return.", ge=0
    )
    taker_noise: float = setting(0.08, "Standard deviation of the taker-buy share.", ge=0)
    extra_range: float = setting(1.0, "Scale of a minute's wicks (1 = Brownian).", ge=0)

    basis_bps: float = setting(1.5, "Mean of futures above spot, basis points.")
    basis_spread_bps: float = setting(3.0, "Standard deviation of that basis.", ge=0)
    basis_trend_bps: float = setting(40.0, "Basis per 100 % of a day's market return.", ge=0)

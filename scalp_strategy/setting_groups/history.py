"""Settings of the sidecar's recorder and backfill."""

from scalp_strategy.setting_groups.base import Group, setting


class RecorderSettings(Group):
    """How raw frames are kept."""

    flush_s: float = setting(
        2.0, "Seconds after which frames are on disk: what a kill can lose.", gt=0, le=60
    )
    max_file_mb: float = setting(
        64.0, "Compressed size from which a new file is begun.", gt=0, le=4_096
    )
    max_file_minutes: float = setting(
        60.0, "Recorded time from which a new file is begun.", gt=0, le=1_440
    )
    max_waiting_mb: float = setting(
        64.0, "Frames that wait to be written; beyond it new ones are lost.", gt=0, le=4_096
    )
    retry_s: float = setting(
        30.0, "Seconds until a disk that refused is tried again.", gt=0, le=3_600
    )
    level: int = setting(6, "Compression level.", ge=1, le=9)
    snapshot_minutes: float = setting(
        30.0, "Minutes between two book snapshots of a symbol.", gt=0, le=1_440
    )


class SeriesDelays(Group):
    """From the start of the UTC day of a daily value to when it counts as known, in seconds.

    The day after at the earliest. Values with vintages (ALFRED) need none of these.
    """

    fear_greed: int = setting(86_400, "Fear & greed index.", ge=86_400, le=2_592_000)
    btc_dominance: int = setting(86_400, "Share of BTC.", ge=86_400, le=2_592_000)
    total_cap: int = setting(86_400, "Total market cap.", ge=86_400, le=2_592_000)
    stablecoin_supply: int = setting(86_400, "Stablecoins issued.", ge=86_400, le=2_592_000)
    sp500: int = setting(86_400, "S&P 500, closes at about 21:00 UTC.", ge=86_400, le=2_592_000)
    vix: int = setting(86_400, "VIX, closes with the S&P 500.", ge=86_400, le=2_592_000)
    dollar_index: int = setting(
        691_200,
        "The Fed's broad dollar index: a week's values come out on the Monday after.",
        ge=86_400,
        le=2_592_000,
    )
    treasury_10y: int = setting(
        172_800, "Ten-year yield, out on the next business day.", ge=86_400, le=2_592_000
    )


class BackfillSettings(Group):
    """How an order-flow archive is made from the exchange's daily files.

    A file says when something was true, not when it could be known; the delays stand for that.
    """

    trade_delay_ms: int = setting(
        100, "From a trade to its arrival on a live stream.", ge=0, le=60_000
    )
    open_interest_delay_s: int = setting(
        60, "From the time of an open-interest row to when it could be read.", ge=0, le=3_600
    )
    funding_delay_s: int = setting(
        60, "From a funding settlement to when its rate could be read.", ge=0, le=3_600
    )
    book_from_bands: bool = setting(
        False,
        "Let the nearest band of bookDepth (1 % or less from the price) stand for the ten best "
        "levels; it is another quantity than live, and flagged.",
    )
    book_delay_s: int = setting(
        5, "From the time of a bookDepth row to when it could be known.", ge=0, le=3_600
    )
    series: SeriesDelays = SeriesDelays()
    retries: int = setting(4, "Tries of a download after the first.", ge=0, le=20)
    retry_first_s: float = setting(1.0, "First wait; each is twice the last.", gt=0, le=60)
    timeout_s: float = setting(60.0, "Seconds a download may stand still.", gt=0, le=600)

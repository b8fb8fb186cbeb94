"""Settings of the sidecar: its address and its market feed, and how the strategy reads it."""

from typing import Literal, Self

from pydantic import model_validator

from scalp_strategy.setting_groups.base import Group, setting
from scalp_strategy.setting_groups.history import BackfillSettings, RecorderSettings
from scalp_strategy.setting_groups.store import ArchiveSettings, EventSettings, LatestSettings


class FeedSettings(Group):
    """How the sidecar listens to the exchange."""

    reconnect_first_s: float = setting(1.0, "First wait before a reconnect.", gt=0, le=60)
    reconnect_max_s: float = setting(30.0, "Longest wait; each is twice the last.", gt=0, le=600)
    reconnect_jitter: float = setting(
        0.2, "Each wait is changed at random by up to this share.", ge=0, le=1
    )
    renew_after_h: float = setting(
        23.0, "Hours after which a connection is renewed; the exchange cuts at 24.", gt=0, lt=24
    )
    max_streams: int = setting(
        200, "Streams on one connection; the exchange allows 1,024.", ge=1, le=1_024
    )
    subscribe_chunk: int = setting(100, "Streams in one SUBSCRIBE message.", ge=1, le=1_024)
    subscribe_per_s: float = setting(
        4.0, "Messages a second on one connection; spot allows 5.", gt=0, le=10
    )
    connects_per_5min: int = setting(
        100, "New connections in five minutes at most; the exchange allows 300.", ge=1, le=300
    )
    queue_size: int = setting(
        4_096, "Messages waiting to be read; beyond it the oldest are dropped.", ge=16, le=1_000_000
    )
    silence_fast_s: float = setting(
        30.0,
        "Depth, mark price and candle streams silent for so long are subscribed anew.",
        gt=0,
        le=3_600,
    )
    silence_trades_s: float = setting(
        300.0, "The same for trades: a quiet pair may have none for a while.", gt=0, le=86_400
    )
    connect_timeout_s: float = setting(10.0, "Seconds a connect may take.", gt=0, le=120)
    stable_after_s: float = setting(
        60.0, "Seconds after which a connection counts as good: waits start anew.", gt=0, le=3_600
    )
    heartbeat_s: float = setting(
        30.0, "Seconds without any data after which the exchange is pinged.", gt=0, le=600
    )
    reply_timeout_s: float = setting(
        10.0, "Seconds for the reply to SUBSCRIBE; then it is sent again.", gt=0, le=300
    )
    clock_poll_s: float = setting(300.0, "Seconds between two looks at the clock.", ge=1, le=86_400)
    clock_samples: int = setting(
        5, "Questions for the time of which the fastest counts.", ge=1, le=50
    )
    clock_jump_ms: float = setting(
        500.0, "A step of this machine's clock that calls for a new look.", gt=0, le=60_000
    )
    weight_share: float = setting(
        0.4, "Share of the exchange's request weight that the sidecar may use.", gt=0, le=1
    )
    weight_reserve: float = setting(
        0.1, "Share of the request weight that stays unused, whoever spends it.", ge=0, lt=1
    )
    request_timeout_s: float = setting(10.0, "Seconds a REST answer may take.", gt=0, le=120)
    request_wait_s: float = setting(
        180.0, "Seconds a request may wait for its turn; then it is refused.", gt=0, le=3_600
    )
    request_retries: int = setting(
        3, "Repetitions of a request that the exchange failed to answer.", ge=0, le=10
    )
    retry_first_s: float = setting(
        0.5, "First wait before a repetition; each is twice the last.", gt=0, le=60
    )
    concurrent_requests: int = setting(8, "Requests under way at a time.", ge=1, le=64)
    max_answer_mb: float = setting(
        64.0,
        "Megabytes of an answer at most; the exchange's list of markets has about 20.",
        gt=0,
        le=1_024,
    )
    max_frame_mb: float = setting(4.0, "Megabytes of a stream's message at most.", gt=0, le=64)
    max_ahead_ms: int = setting(
        5_000, "A message from further in the future is dropped.", ge=0, le=3_600_000
    )
    max_behind_ms: int = setting(
        3_600_000, "A message from further in the past is dropped.", ge=1_000, le=86_400_000
    )
    book_distance_pct: float = setting(
        10.0, "Levels further from the best are forgotten.", gt=0, le=100
    )
    book_max_levels: int = setting(20_000, "Levels of a side kept at most.", ge=1_000, le=1_000_000)
    book_trim_every: int = setting(
        1_000, "Updates of a book after which it is trimmed.", ge=1, le=1_000_000
    )
    book_max_waiting: int = setting(
        1_000, "Updates that wait for a snapshot; beyond it the oldest go.", ge=10, le=100_000
    )
    book_max_stale: int = setting(
        200, "Stale updates in a row after which a book starts anew.", ge=1, le=100_000
    )
    book_levels: int = setting(1_000, "Levels of a book snapshot.", ge=20, le=5_000)
    snapshot_every_s: float = setting(
        10.0, "Seconds between two snapshots of one book at least.", gt=0, le=3_600
    )
    open_interest_poll_s: float = setting(
        60.0, "Seconds between two looks at a pair's open interest.", ge=5, le=3_600
    )


class JobSettings(Group):
    """How often the sidecar looks after things, and when its health calls them bad."""

    books_s: float = setting(0.5, "Seconds between two looks for books to sync.", gt=0, le=60)
    upkeep_s: float = setting(
        1.0, "Seconds between two looks for missing candles and open interest.", gt=0, le=60
    )
    pairs_s: float = setting(
        30.0, "Seconds after which the watched pairs are looked over anyway.", gt=0, le=3_600
    )
    merge_s: float = setting(
        600.0, "Seconds between two looks for archive files to merge.", gt=0, le=86_400
    )
    perpetuals_s: float = setting(
        3_600.0, "Seconds between two lists of perpetuals (spot only).", gt=0, le=86_400
    )
    retry_s: float = setting(
        30.0, "Seconds until a list of perpetuals that failed is asked for again.", gt=0, le=3_600
    )
    rejected_s: float = setting(
        3_600.0,
        "Seconds until an open interest that was refused is asked for again.",
        gt=0,
        le=86_400,
    )
    start_s: float = setting(
        120.0, "Seconds after the start within which health says starting.", ge=0, le=3_600
    )
    late_grids: int = setting(3, "Scores this many grid steps old are a problem.", ge=1, le=100)
    silences: float = setting(
        2.0, "With nothing heard for so many silence alarms the feed is down.", ge=1, le=100
    )
    unknown_s: float = setting(
        1_800.0,
        "A component unknown for all pairs is a problem so long after the start.",
        ge=0,
        le=86_400,
    )


class SidecarSettings(Group):
    """The companion service, and how the strategy reads it."""

    feed: FeedSettings = FeedSettings()
    jobs: JobSettings = JobSettings()
    archive: ArchiveSettings = ArchiveSettings()
    events: EventSettings = EventSettings()
    latest: LatestSettings = LatestSettings()
    recorder: RecorderSettings = RecorderSettings()
    backfill: BackfillSettings = BackfillSettings()
    url: str = setting(
        "", "Where the strategy asks for scores, e.g. http://127.0.0.1:8090; empty = nowhere."
    )
    transport: Literal["http", "redis"] = setting(
        "http", "How the strategy reads live scores; redis needs REDIS_URL in the environment."
    )
    timeout_s: float = setting(1.0, "Seconds the strategy waits for an answer.", gt=0, le=5)
    archive_dir: str = setting(
        "layers", "Folder of the archive; relative to the user data folder of Freqtrade."
    )
    host: str = setting(
        "127.0.0.1", "Address the sidecar listens on; others need SCALP_LAYERS_TOKEN."
    )
    port: int = setting(8090, "Port the sidecar listens on.", ge=0, le=65_535)
    publish_s: int = setting(15, "Seconds between two scores of a pair.", ge=1, le=900)
    publish_lead_ms: int = setting(
        500,
        "Milliseconds before the grid at which scores are made, so a close finds new ones.",
        ge=0,
        le=5_000,
    )
    slow_renew_s: int = setting(
        3_600,
        "Seconds after which a row of a slow layer that stands still is given again.",
        ge=60,
        le=14_400,
    )
    bot_silence_s: int = setting(
        1_800,
        "Seconds without a question of the bot, once it has asked, after which the sidecar says so "
        "in the chat; 0 never does.",
        ge=0,
        le=86_400,
    )
    keep_subscribed_s: int = setting(
        10_800, "Seconds for which a pair once asked for stays subscribed.", ge=0, le=604_800
    )
    candle_rows: int = setting(499, "5m and 1m candles kept and served.", ge=50, le=1_000)
    max_watched: int = setting(120, "Pairs watched at most, asked for ones included.", ge=1, le=500)
    candle_wait_ms: int = setting(
        400, "Milliseconds an answer waits for candles that just closed.", ge=0, le=2_000
    )
    candle_wait_until_ms: int = setting(
        2_000, "Milliseconds after a close from which no answer waits any more.", ge=0, le=60_000
    )
    history_s: int = setting(
        86_400,
        "Seconds of scores, as of each 15m close, that are kept at hand.",
        ge=900,
        le=604_800,
    )

    @model_validator(mode="after")
    def _grid(self) -> Self:
        if 900 % self.publish_s:
            raise ValueError(f"publish_s {self.publish_s} must divide the 900 seconds of a candle")
        if self.publish_lead_ms >= self.publish_s * 1_000:
            raise ValueError("publish_lead_ms must be shorter than publish_s")
        return self

"""Settings of the journal, of the events pulled into it, and of the alerts they make."""

from scalp_strategy.setting_groups.base import Group, setting


class AlertSettings(Group):
    """Which events are told in the chat."""

    whale_alert_usd: float = setting(
        10_000_000, "Transfers worth at least so many US dollars are told.", gt=0, le=1e12
    )
    whale_alerts_per_hour: int = setting(
        6, "Whale messages in an hour at most; the rest is summed up in one line.", ge=1, le=1_000
    )
    max_age_s: int = setting(
        3_600, "Events older than so many seconds are journalled, not told.", ge=60, le=86_400
    )


class JournalSettings(Group):
    """How the journal is kept and how the sidecar's events reach it.

    Its address is a secret and comes from the environment: SCALP_JOURNAL_URL or DATABASE_URL. With
    neither it is an SQLite file in the user data folder.
    """

    alerts: AlertSettings = AlertSettings()
    pull_s: float = setting(
        15.0, "Seconds between two looks for events of the sidecar.", ge=1, le=3_600
    )
    page_events: int = setting(500, "Events asked for at a time.", ge=2, le=10_000)
    pull_events: int = setting(
        20_000, "Events taken in one look at most; the rest waits.", ge=2, le=1_000_000
    )
    pull_timeout_s: float = setting(
        10.0, "Seconds an answer with events may take as a whole.", gt=0, le=120
    )
    max_answer_mb: float = setting(8.0, "Megabytes of such an answer at most.", gt=0, le=64)
    database_timeout_s: float = setting(
        5.0,
        "Seconds to wait for the database: to connect, for a lock, for a statement.",
        gt=0,
        le=60,
    )
    discarded_from_score: int = setting(
        50,
        "While trading, candles with a direction and at least this score are journalled although "
        "they reach no tier; 100 leaves out almost all.",
        ge=0,
        le=100,
    )
    in_backtests: bool = setting(
        True,
        "Keep a journal of the last backtest too: what reached a tier, with outcomes. Hyperopt "
        "keeps none.",
    )
    resolve_pairs: int = setting(
        2,
        "Pairs whose candles are asked of the exchange in one look for outcomes at most.",
        ge=1,
        le=50,
    )
    resolve_days: int = setting(
        7, "Signals older than so many days are not resolved any more.", ge=1, le=365
    )
    position_s: int = setting(
        60, "Seconds between two pictures of an open position that did not change.", ge=5, le=3_600
    )

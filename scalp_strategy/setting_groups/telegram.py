"""Settings of the Telegram bot: the host's own, extended.

Its token and chat are the host's (`telegram.token`, `telegram.chat_id`). A second bot for signals
has its token and chat in the environment: SCALP_SIGNALS_TOKEN and SCALP_SIGNALS_CHAT_ID.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from scalp_strategy.setting_groups.base import Group, setting

UserId = Annotated[int, Field(gt=0)]


class TelegramSettings(Group):
    """Who may command, what is told, and how messages are delivered."""

    admin_ids: tuple[UserId, ...] = setting(
        (),
        "Telegram users who may pause, resume and change anything; empty means the user of a "
        "private chat, and nobody in a group.",
    )
    cornix: bool = setting(False, "Add lines to a signal that Cornix reads.")
    breaker_notice_s: int = setting(
        3_600,
        "Seconds before the same breaker is told of again, unless it pauses.",
        ge=0,
        le=86_400,
    )
    daily_report: bool = setting(True, "Tell the day's performance at 00:00 UTC.")
    health_alerts: bool = setting(True, "Tell when a source of the sidecar fails and recovers.")
    host_trade_messages: Literal["all", "none"] = setting(
        "all", "Whether the host's own messages about entries and exits are sent beside ours."
    )
    min_interval_s: float = setting(
        1.0, "Seconds between two messages to a private chat at least.", ge=0, le=60
    )
    min_group_interval_s: float = setting(
        3.0, "The same to a group or channel, which takes 20 a minute.", ge=0, le=60
    )
    retry_first_s: float = setting(1.0, "Seconds before the first retry.", gt=0, le=60)
    retry_longest_s: float = setting(60.0, "Seconds between two retries at most.", gt=0, le=3_600)
    host_message_max_age_s: int = setting(
        3_600, "The host's own messages are given up after so many seconds.", ge=10, le=86_400
    )
    edit_days: int = setting(2, "Days in which a signal's message is still edited.", ge=1, le=30)
    chart_candles: int = setting(96, "Candles in the chart of /why.", ge=16, le=480)
    answer_timeout_s: float = setting(
        15.0, "Seconds that a command waits for the trading loop.", ge=1, le=120
    )

    @field_validator("admin_ids", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        """Accept one number, and numbers in a text: variables hold either."""
        if isinstance(value, str):
            words = [word.strip() for word in value.split(",")]
            return tuple(int(word) if word.isdecimal() else word for word in words if word)
        if isinstance(value, int) and not isinstance(value, bool):
            return (value,)
        return tuple(value) if isinstance(value, list) else value

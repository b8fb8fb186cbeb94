"""Settings of the outside sources and of what runs them."""

from typing import Annotated

from pydantic import Field

from scalp_strategy.setting_groups.base import Group, setting

Seconds = Annotated[float, Field(ge=1)]


class SourcesSettings(Group):
    """Which sources are asked, how often, and what happens when they fail."""

    is_enabled: bool = setting(True, "Ask outside sources at all.")
    disabled: tuple[str, ...] = setting((), "Names of sources that are left alone.")
    every_s: dict[str, Seconds] = setting({}, "Seconds between two fetches of single sources.")
    urls: dict[str, str] = setting(
        {}, "Other addresses of single providers, e.g. a mempool.space of your own."
    )
    jitter: float = setting(
        0.1, "Each wait is changed at random by up to this share.", ge=0, le=0.5
    )
    retries: int = setting(2, "Repetitions of a fetch that failed to be answered.", ge=0, le=10)
    retry_first_s: float = setting(
        2.0, "First wait before a repetition; each is twice the last.", gt=0, le=300
    )
    retry_max_s: float = setting(60.0, "Longest wait before a repetition.", gt=0, le=3_600)
    circuit_failures: int = setting(
        5, "Failed fetches of a provider in a row that open its circuit.", ge=1, le=100
    )
    circuit_first_s: float = setting(
        300.0,
        "Seconds a circuit stays open first; each failed trial after it doubles them.",
        gt=0,
        le=86_400,
    )
    circuit_max_s: float = setting(
        3_600.0, "Seconds a circuit stays open at most.", gt=0, le=86_400
    )
    default_pause_s: float = setting(
        60.0, "Seconds of pause after a 429 without Retry-After.", gt=0, le=86_400
    )
    max_pause_s: float = setting(86_400.0, "A longer Retry-After is cut to this.", gt=0, le=604_800)
    save_s: float = setting(
        30.0,
        "Seconds between two savings of schedule, budgets and memory; each fetch is noted at once.",
        gt=0,
        le=3_600,
    )
    heartbeat_s: float = setting(
        30.0, "Seconds without any data after which a stream is pinged.", gt=0, le=600
    )
    stable_s: float = setting(
        60.0, "A stream that has lasted so long works: its waits start anew.", gt=0, le=3_600
    )

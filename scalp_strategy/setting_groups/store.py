"""Settings of the sidecar's store: archive, numbered events, latest values."""

from scalp_strategy.setting_groups.base import Group, setting


class ArchiveSettings(Group):
    """How the archive of components is kept."""

    flush_s: float = setting(
        10.0, "Seconds after which new rows are written: what a kill can lose.", gt=0, le=3_600
    )
    max_rows: int = setting(
        500_000,
        "Rows that wait for a full disk, about 0.4 kB each; beyond it the oldest go.",
        ge=1_000,
        le=100_000_000,
    )
    merge_parts: int = setting(60, "Parts of a day from which they are merged.", ge=2, le=10_000)
    retention_days: int = setting(800, "Days that are kept.", ge=1, le=36_500)
    group_rows: int = setting(
        8_192,
        "Rows from which a row group ends with its pair: few = a pair is read faster.",
        ge=1,
        le=262_144,
    )


class EventSettings(Group):
    """How numbered events are kept."""

    kept: int = setting(10_000, "Newest events that are kept and served.", ge=10, le=1_000_000)
    is_synced: bool = setting(True, "Wait for the disk at each event: a power cut loses none.")
    reserve: int = setting(
        1_000,
        "Numbers reserved ahead: events that a full disk may leave in memory.",
        ge=10,
        le=1_000_000,
    )


class LatestSettings(Group):
    """How long latest values live, and how long a store may take."""

    score_ttl_s: int = setting(
        86_400, "Seconds after which a component that was not renewed is gone.", ge=60, le=2_592_000
    )
    layer_ttl_s: dict[str, int] = setting({}, "The same for single layers, by name.")
    candle_ttl_s: int = setting(
        86_400, "Seconds after which candles that were not renewed are gone.", ge=60, le=2_592_000
    )
    candle_rows: int = setting(499, "Candles kept of each pair and timeframe.", ge=1, le=5_000)
    timeout_s: float = setting(0.5, "Seconds a call may take in all.", gt=0, le=10)
    events_kept: int = setting(10_000, "Events kept in the stream, roughly.", ge=10, le=1_000_000)

    def ttl_s(self, layer: str) -> int:
        """Return the lifetime of a layer's components in seconds."""
        return self.layer_ttl_s.get(layer, self.score_ttl_s)

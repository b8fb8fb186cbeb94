"""What a restarted sidecar still knows: the archive's last hours, put at hand again."""

from typing import Final

from external_layers.store.archive_reader import ArchiveReader
from external_layers.timeline import Timeline, floor_close
from scalp_strategy.contract import CANDLE_MS
from scalp_strategy.setting_groups.layer_rules import rules_of
from scalp_strategy.settings import Settings

_MS_PER_S: Final = 1_000


def remember(timeline: Timeline, reader: ArchiveReader, settings: Settings, now_ms: int) -> None:
    """Put at hand what was known at every close for which opposition counts, and now.

    At the first of these closes whatever still counts for anything was known, however old; at each
    later one only what came since the one before is missing.

    Raises
    ------
    StoreError
        When the disk refuses.
    """
    close = floor_close(now_ms)
    first = floor_close(close - settings.confluence.opposition_max_age_s * _MS_PER_S)
    kept = set(reader.layers())
    for rules in rules_of(settings):
        if rules.layer not in kept:
            continue
        timeline.add(reader.as_of(rules.layer, None, first, rules.horizon_ms))
        for at in (*range(first + CANDLE_MS, close + 1, CANDLE_MS), now_ms):
            timeline.add(reader.as_of(rules.layer, None, at, CANDLE_MS))

"""The outside layers' evidence as columns: live from the sidecar, in backtests from the archive."""

from scalp_strategy.layers.archive import ArchiveSource
from scalp_strategy.layers.columns import (
    FLAG_COLUMNS,
    LayerSource,
    layer_frame,
    layer_reasons,
)
from scalp_strategy.layers.live import LiveSource, RefreshReport, live_source

__all__ = [
    "FLAG_COLUMNS",
    "ArchiveSource",
    "LayerSource",
    "LiveSource",
    "RefreshReport",
    "layer_frame",
    "layer_reasons",
    "live_source",
]

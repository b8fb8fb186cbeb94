"""The outside sources, as an explicit list: a new one is a new file and a line here."""

from typing import Final

from external_layers.sources.spec import Source

SOURCES: Final[tuple[Source, ...]] = ()

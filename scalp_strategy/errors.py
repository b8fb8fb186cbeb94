"""The error tree, grouped by what happens next.

::

    ScalpError
    ├── ConfigError         stop at start: names the key, the value and what is allowed
    ├── SourceUnavailable   retry with back-off and jitter
    │   └── RateLimited     retry after the time the provider asked for
    ├── SourceRejected      bad key or 4xx: disable that source, alert once
    ├── PayloadError        drop the message, count it, keep a sample
    ├── StoreError          keep the last good value, mark the store degraded
    └── ContractViolation   a bug: an input no caller may pass
"""


class ScalpError(Exception):
    """Base of every error this project raises on purpose."""


class ConfigError(ScalpError):
    """A setting is unknown, of the wrong type or out of range; the program must not start."""


class SourceUnavailable(ScalpError):
    """An outside source did not answer; try again later."""


class RateLimited(SourceUnavailable):
    """An outside source asked for a pause."""


class SourceRejected(ScalpError):
    """An outside source refused the key or the request; do not try again."""


class PayloadError(ScalpError):
    """A message or a file is malformed; drop it and count it."""


class StoreError(ScalpError):
    """A store could not be read or written; keep the last good value."""


class ContractViolation(ScalpError):
    """A caller broke a function's contract: a bug, not an event of the market."""

"""Where decisions and outside events are kept.

The database is in modules of its own: the decision knows the log only, and no database.
"""

import logging

from scalp_strategy.journal.log import DecisionLog, MemoryLog

# It tells at INFO of each of its parts, from the moment it is imported.
logging.getLogger("alembic").setLevel(logging.WARNING)

__all__ = ["DecisionLog", "MemoryLog"]

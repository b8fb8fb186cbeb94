"""What holds for all tests."""

import os

from hypothesis import settings

# Enough for a run that people wait for; HYPOTHESIS_EXAMPLES=1000 looks longer.
settings.register_profile(
    "scalp", max_examples=int(os.environ.get("HYPOTHESIS_EXAMPLES", "40")), deadline=None
)
settings.load_profile("scalp")

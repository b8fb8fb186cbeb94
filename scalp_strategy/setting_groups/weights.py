"""Types that the groups of the outside evidence share: scores, shares, ranges, weights."""

import math
from typing import Annotated, Self

from pydantic import Field, model_validator

from scalp_strategy.setting_groups.base import Group, setting

Score = Annotated[float, Field(ge=0, le=100)]
Share = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[int, Field(ge=0, le=604_800)]
Range = tuple[Score, Score]  # weakest and strongest case; linear between


class Weights(Group):
    """Weights that sum to 1."""

    @model_validator(mode="after")
    def _sum_to_one(self) -> Self:
        total = sum(getattr(self, name) for name in type(self).model_fields)
        if not math.isclose(total, 1.0, abs_tol=1e-6):
            raise ValueError(f"the weights must sum to 1, they sum to {total:.6g}")
        return self


def weight(default: float, of: str) -> float:
    """Declare a weight in 0..1."""
    value: float = setting(default, f"Weight of {of}.", ge=0, le=1)
    return value

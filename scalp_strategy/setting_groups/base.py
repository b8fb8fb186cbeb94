"""What every group of settings has in common."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Group(BaseModel):
    """A frozen group of settings that refuses unknown keys, NaN and infinity."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True
    )


def setting(default: Any, description: str, **bounds: Any) -> Any:
    """Declare one setting: default, what it means, bounds (`ge`, `gt`, `le`, `lt`).

    Examples
    --------
    >>> class Example(Group):
    ...     period: int = setting(14, "Look-back in candles.", ge=2, le=100)
    >>> Example().period
    14
    """
    return Field(default=default, description=description, **bounds)

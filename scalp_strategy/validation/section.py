"""Groups of settings out of a host config's `scalp` section, typed."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from scalp_strategy.setting_groups.base import Group
from scalp_strategy.settings import explained

AnyGroup = TypeVar("AnyGroup", bound=Group)


def section(config: Mapping[str, Any], model: type[AnyGroup], *path: str) -> AnyGroup:
    """Return the group at `path` under the config's `scalp` key, defaults where it is silent.

    Parameters
    ----------
    config : mapping
        A host config; without `scalp` every default holds.
    model : type of Group
        What the group is made of.
    *path : str
        Keys below `scalp`, such as ``"risk", "ladder"``.

    Raises
    ------
    ConfigError
        When a key is unknown or a value out of range; names the group.

    Examples
    --------
    >>> from scalp_strategy.setting_groups.report import LossSettings
    >>> section({"scalp": {"loss": {"min_trades": 30}}}, LossSettings, "loss").min_trades
    30
    """
    found: Any = config.get("scalp", {})
    for key in path:
        found = found.get(key, {}) if isinstance(found, Mapping) else found
    try:
        return model.model_validate(found)
    except ValidationError as error:
        raise explained(error, below=path) from None

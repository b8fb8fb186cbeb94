"""What a source remembers from fetch to fetch: only what goes with facts that were handed over."""

from collections.abc import Mapping
from typing import Any

import msgspec

from external_layers.sources.memory_file import NOTHING, Validators
from external_layers.sources.scrub import Secrets
from scalp_strategy.errors import ContractViolation


class Remembered:
    """The memory and the validators of the last fetch that ended well.

    A fetch works on a copy, so one that fails leaves no trace: what it had seen but not handed over
    will be new again.

    Parameters
    ----------
    secrets
        The source's keys, which must not be remembered.
    encoded
        The memory as JSON; nothing when it is no object.
    validators
        Of conditional requests.
    """

    def __init__(
        self, secrets: Secrets, encoded: bytes = b"{}", validators: Mapping[str, Validators] = {}
    ) -> None:
        self._secrets = secrets
        self.encoded = encoded if _is_object(encoded) else bytes(NOTHING)
        self.validators = dict(validators)

    def copy(self) -> "Remembered":
        """Return another one of the same content."""
        return Remembered(self._secrets, self.encoded, self.validators)

    def memory(self) -> dict[str, Any]:
        """Return the memory for a fetch to work on."""
        decoded: dict[str, Any] = msgspec.json.decode(self.encoded)
        return decoded

    def keep(self, memory: Mapping[str, Any], validators: Mapping[str, Validators]) -> None:
        """Take what a fetch has made of it.

        Raises
        ------
        ContractViolation
            When the memory holds a key, or something that JSON does not.
        """
        try:
            encoded = msgspec.json.encode(memory)
        except (TypeError, ValueError, RecursionError, msgspec.MsgspecError) as error:
            text = f"the memory of the source cannot be kept: {type(error).__name__}"
            raise ContractViolation(text) from None
        if self._secrets.is_in(encoded.decode()):
            raise ContractViolation("a key is in the memory of the source")
        self.encoded, self.validators = encoded, dict(validators)


def _is_object(encoded: bytes) -> bool:
    try:
        msgspec.json.decode(encoded, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True

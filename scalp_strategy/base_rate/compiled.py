"""Loops that no array expression can say, compiled by Numba; plain Python is what they mean."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Compile a function at its first call and keep the machine code beside the source.

    Where no folder for it can be written, it is compiled anew in every process. The plain function
    stays at `.py_func`.
    """
    try:
        return cast("F", njit(cache=True)(function))
    except RuntimeError:  # no folder to keep it in
        return cast("F", njit(function))

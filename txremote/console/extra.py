"""plac's parser, or an error that says how to install it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

try:
    import plac_core  # type: ignore[import-untyped]
except ImportError as problem:
    raise ImportError(
        "command containers are read by plac's parser: pip install 'txremote[console]'"
    ) from problem

__all__ = ["annotated", "plac_core"]

F = TypeVar("F", bound=Callable[..., object])


def annotated(**annotations: object) -> Callable[[F], F]:
    """Annotate the arguments of a command as plac does."""
    mark: Callable[[F], F] = plac_core.annotations(**annotations)
    return mark

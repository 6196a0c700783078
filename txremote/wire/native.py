"""
`mypyc_attr`, by which a class tells mypyc how it is to be compiled: see ``setup.py``.

A class that has subclasses which stay interpreted says so, else the compiled build refuses them::

    @mypyc_attr(allow_interpreted_subclasses=True)
    class Request: ...

The interpreted build needs no package of mypyc's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

__all__ = ["mypyc_attr"]

T = TypeVar("T")

if TYPE_CHECKING:  # as mypyc knows it, by its name
    from mypy_extensions import mypyc_attr
else:

    def mypyc_attr(**_flags: bool) -> Callable[[T], T]:
        """Return what leaves a class as it is."""
        return lambda decorated: decorated

"""
`restricted`: part of an object, for a peer (``rpyc.utils.helpers.restricted``).
"""

from __future__ import annotations

from collections.abc import Container
from typing import Any


def restricted(obj: Any, attrs: Container[str], wattrs: Container[str] | None = None) -> Any:
    """
    Return a view of an object through which a peer sees some names only.

    Args:
        obj: The object.
        attrs: The names that can be read.
        wattrs: The names that can be set; those of ``attrs`` if None.
    """
    writable = attrs if wattrs is None else wattrs

    class Restricted:
        """
        A view of another object.
        """

        def _rpyc_getattr(self, name: str) -> Any:
            if name not in attrs:
                raise AttributeError(f"cannot access {name!r}: this view does not show it")
            return getattr(obj, name)

        def _rpyc_setattr(self, name: str, value: Any) -> None:
            if name not in writable:
                raise AttributeError(f"cannot set {name!r}: this view does not allow it")
            setattr(obj, name, value)

        __getattr__ = _rpyc_getattr
        __setattr__ = _rpyc_setattr

    return Restricted()

"""
`signature_of`: the parameters of a callable, without evaluating its type hints.

From Python 3.14 on `inspect.signature` evaluates all hints. A name that is imported for type
checkers only is then a NameError.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable


def signature_of(function: Callable[..., object], follow_wrapped: bool = True) -> inspect.Signature:
    """Return a callable's signature; ValueError where it has none, as some builtins."""
    if sys.version_info >= (3, 14):
        from annotationlib import Format

        return inspect.signature(
            function, follow_wrapped=follow_wrapped, annotation_format=Format.STRING
        )
    return inspect.signature(function, follow_wrapped=follow_wrapped)

"""
`signature_of`: what a callable takes, without a look at its type hints.

From Python 3.14 on hints are evaluated when somebody asks for them, and asking for a
signature asks for all of them. Names that are imported for type checkers only are then
a NameError.
"""

from __future__ import annotations

import inspect
import sys
from typing import Any


def signature_of(function: Any, follow_wrapped: bool = True) -> inspect.Signature:
    """
    Return the signature of a callable, to bind arguments to.

    Args:
        function: The callable.
        follow_wrapped: Whether a decorated function's is that of what it wraps.

    Raises:
        TypeError: it is not callable.
        ValueError: it does not tell, as not every builtin does.
    """
    if sys.version_info >= (3, 14):
        from annotationlib import Format

        return inspect.signature(
            function, follow_wrapped=follow_wrapped, annotation_format=Format.STRING
        )
    return inspect.signature(function, follow_wrapped=follow_wrapped)

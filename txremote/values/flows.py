"""
`flow_plan`: whether a function's annotation says that it gives a stream.

It does where the result is declared to be an iterator or a generator, of either kind. This is asked
where no annotation declares values, too; then the plan says nothing else.
"""

from __future__ import annotations

import re
import types
import typing
import weakref
from collections import abc
from typing import Any, Final

from txremote.values.annotations import annotations_of, resolved
from txremote.values.plan import CallPlan

#: What a stream may be declared as.
FLOWS: Final = frozenset({abc.Iterator, abc.Generator, abc.AsyncIterator, abc.AsyncGenerator})

# most annotations are none, and need not be evaluated
_LIKELY: Final = re.compile(r"\b(Async)?(Iterator|Generator)\b")

_known: weakref.WeakKeyDictionary[types.FunctionType, CallPlan | None] = weakref.WeakKeyDictionary()


def is_flow(hint: object) -> bool:
    """Tell whether an annotation of a result declares a stream."""
    return (typing.get_origin(hint) or hint) in FLOWS


def flow_plan(function: Any) -> CallPlan | None:
    """Return the plan of a function or bound method that gives a stream; None for others."""
    if type(function) is types.MethodType:
        function = function.__func__
    if type(function) is not types.FunctionType:
        return None
    if function not in _known:
        _known[function] = _PLAN if _gives_flow(function) else None
    return _known[function]


def _gives_flow(function: types.FunctionType) -> bool:
    try:
        written = annotations_of(function).get("return")
    except Exception:  # it is evaluated when it is read, from Python 3.14 on
        return False
    if isinstance(written, str):
        if not _LIKELY.search(written):
            return False
        written = resolved(function, {"return": written}, None).get("return")
    try:
        return is_flow(written)
    except TypeError:  # no hash
        return False


_PLAN: Final = CallPlan()
_PLAN.streams = True

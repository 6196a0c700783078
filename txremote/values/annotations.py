"""
Reading annotations: each for itself, so that one that cannot be resolved spoils no other.

A name may be imported for type checkers only, or be a str, or be read before it is defined; then
the place is a reference, and a line in the log says so once.
"""

from __future__ import annotations

import inspect
import sys
import typing
from collections.abc import Callable, Mapping
from typing import Any

from txremote.levels import Logger

_log = Logger("txremote.values")


def resolved(
    scope: object,
    annotations: Mapping[str, object],
    owner: type | None,
    wanted: Mapping[str, object] | None = None,
) -> dict[str, object]:
    """
    Evaluate annotations.

    Args:
        scope: The function or the class that has them.
        annotations: Strings and what else stands there.
        owner: The class that the scope is in: ``Self``, and its names are seen.
        wanted: The names that are asked for; None for all.
    """
    evaluate = evaluator(scope, owner)
    found = {}
    for name, annotation in annotations.items():
        if wanted is not None and name not in wanted:
            continue
        try:
            found[name] = evaluate(annotation)
        except Exception as problem:
            _log.warn(
                "{where} takes {name} by reference: its annotation cannot be resolved: {problem}",
                where=getattr(scope, "__qualname__", scope),
                name=name,
                problem=problem,
            )
    return found


def evaluator(scope: object, owner: type | None) -> Callable[[object], object]:
    """Return what evaluates an annotation where a function or class stands; it may raise."""
    module = sys.modules.get(getattr(scope, "__module__", None) or "")
    names: dict[str, Any] = {**getattr(module, "__dict__", {}), **_closure(scope)}
    names.update(getattr(scope, "__globals__", {}))
    inner: dict[str, Any] = {}
    for cls in (owner, scope):
        if isinstance(cls, type):
            inner.update({cls.__name__: cls, **vars(cls)})
    for each in (owner, scope):
        for variable in getattr(each, "__type_params__", ()):
            inner[variable.__name__] = variable
    return lambda annotation: _evaluated(annotation, names, inner, owner)


def _evaluated(
    annotation: object, names: dict[str, Any], inner: dict[str, Any], owner: type | None
) -> object:
    if annotation is typing.Self and owner is not None:
        return owner
    if isinstance(annotation, type) and not typing.get_args(annotation):
        return annotation
    holder: Any = type("holder", (), {"__annotations__": {"it": annotation}})
    found: object = typing.get_type_hints(holder, names, inner, include_extras=True)["it"]
    return owner if found is typing.Self and owner is not None else found


def _closure(scope: object) -> dict[str, object]:
    code = getattr(scope, "__code__", None)
    cells = getattr(scope, "__closure__", None) or ()
    found: dict[str, object] = {}
    for name, cell in zip(getattr(code, "co_freevars", ()), cells, strict=False):
        try:
            found[name] = cell.cell_contents
        except ValueError:  # not yet assigned
            continue
    return found


def annotations_of(scope: Any) -> dict[str, object]:
    """Return the annotations of a function, or a class's own, as they stand."""
    if sys.version_info >= (3, 14):
        import annotationlib

        return annotationlib.get_annotations(scope, format=annotationlib.Format.FORWARDREF)
    return inspect.get_annotations(scope)


def signature_of(function: Callable[..., object]) -> inspect.Signature:
    """Return a callable's signature; ValueError or TypeError where it has none."""
    if sys.version_info >= (3, 14):
        from annotationlib import Format

        return inspect.signature(function, annotation_format=Format.STRING)
    return inspect.signature(function)

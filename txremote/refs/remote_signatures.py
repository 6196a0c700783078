"""
Signatures of remote methods, as their owner has described them.

A txremote tells the signature of each method as text: names, annotations as they are written, and
``...`` for a default. The text is a peer's, so nothing in it is evaluated: annotations stay text.
"""

from __future__ import annotations

import ast
from inspect import Parameter, Signature
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inspect import _ParameterKind

#: Characters of a signature that are looked at; a longer one is none.
LONGEST = 4_000


class Written(str):
    """An annotation, shown as it is written: `inspect.Signature` puts texts in quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str.__str__(self)


class _Default:
    """A default that only the method's owner knows."""

    def __repr__(self) -> str:
        return "..."


DEFAULT = _Default()


def told_signatures(described: object) -> dict[str, str]:
    """Return the texts of signatures in an answer to DESCRIBE, by name; drop the rest of it."""
    return {
        entry[0]: entry[2]
        for entry in (described if type(described) is tuple else ())
        if type(entry) is tuple
        and len(entry) > 2
        and type(entry[0]) is str
        and type(entry[2]) is str
    }


def parse_signature(text: object) -> Signature | None:
    """Return the signature that a peer's text shows; None where it shows none."""
    if type(text) is not str or len(text) > LONGEST:
        return None
    source = f"def f{text}: pass"
    try:
        tree = ast.parse(source)
        (function,) = tree.body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    if not isinstance(function, ast.FunctionDef) or len(function.body) != 1:
        return None
    return _signature(function, source)


def _signature(function: ast.FunctionDef, source: str) -> Signature | None:
    def written(node: ast.expr | None) -> object:
        found = None if node is None else ast.get_source_segment(source, node)
        return Parameter.empty if found is None else Written(found)

    args = function.args
    plain = [*args.posonlyargs, *args.args]
    optional = len(plain) - len(args.defaults)
    found: list[tuple[ast.arg, _ParameterKind, bool]] = []
    for at, each in enumerate(plain):
        first = at < len(args.posonlyargs)
        kind = Parameter.POSITIONAL_ONLY if first else Parameter.POSITIONAL_OR_KEYWORD
        found.append((each, kind, at >= optional))
    if args.vararg is not None:
        found.append((args.vararg, Parameter.VAR_POSITIONAL, False))
    for each, default in zip(args.kwonlyargs, args.kw_defaults, strict=True):
        found.append((each, Parameter.KEYWORD_ONLY, default is not None))
    if args.kwarg is not None:
        found.append((args.kwarg, Parameter.VAR_KEYWORD, False))
    try:
        return Signature(
            [
                Parameter(
                    each.arg,
                    kind,
                    default=DEFAULT if has_default else Parameter.empty,
                    annotation=written(each.annotation),
                )
                for each, kind, has_default in found
            ],
            return_annotation=written(function.returns),
        )
    except ValueError:  # two of one name
        return None


def with_self(signature: Signature) -> Signature:
    """Return a signature as a function has it that becomes a method with it."""
    given = signature.parameters
    first = Parameter("_self" if "self" in given else "self", Parameter.POSITIONAL_ONLY)
    return signature.replace(parameters=[first, *given.values()])


class RemoteFunction:
    """
    Stands for the function of a remote method: what `inspect` and ``help`` read of it.

    It is no function, for that would have a file here, and code.
    """

    def __init__(self, signature: Signature, name: str, doc: str | None) -> None:
        self.__signature__ = with_self(signature)
        self.__name__ = self.__qualname__ = name
        self.__doc__ = doc

    def __call__(self, *_args: object, **_kwargs: object) -> None:
        """Refuse: the method is called, where it is."""
        raise TypeError(f"{self.__name__} is a method of a remote object: call it there")

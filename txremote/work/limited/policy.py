"""
A limited source may say and name these things: RestrictedPython's rules, and a closed set of names.

Runs in the process of a source, and nowhere else. RestrictedPython compiles: names and attributes
that begin with ``_``, imports, classes, ``async`` and more are refused before anything runs, and
each attribute, item and assignment goes by a function of ours. All that a source can get hold of
are builtins without side effects, copies of the caller's values, and functions that send a message.
Only lists and dicts can be changed.
"""

from __future__ import annotations

import ast
import builtins
import math
import operator
import random
import re
from collections.abc import Callable, Iterable
from types import CodeType, SimpleNamespace
from typing import Final

from RestrictedPython.compile import compile_restricted_eval, compile_restricted_exec
from RestrictedPython.Guards import (
    guarded_iter_unpack_sequence,
    guarded_unpack_sequence,
    safe_builtins,
    safer_getattr,
)
from RestrictedPython.transformer import RestrictingNodeTransformer

#: The file of a source in tracebacks.
FILENAME: Final = "<source>"
#: The function by which a source gives its result.
RETURN: Final = "_return"

_INSTEAD: Final = {
    "AnnAssign": "an annotation of a variable: write x = 1",
    "Import": "import: a source has the names that it was given, with math, random and re",
    "ImportFrom": "import: a source has the names that it was given, with math, random and re",
    "ClassDef": "class: use functions and dicts",
    "Nonlocal": "nonlocal: change an item of a list or dict",
    "Match": "match: use if and elif",
    "TryStar": "except*: use except",
    "AsyncFunctionDef": "async: functions that were given are called, and give their results",
    "Await": "await: functions that were given are called, and give their results",
}


class Refused(Exception):
    """A source that is not run, with the reason."""


class Policy(RestrictingNodeTransformer):
    """RestrictedPython's rules, without classes and imports, in sentences."""

    def not_allowed(self, node: ast.AST) -> None:
        """Refuse a statement or an expression."""
        kind = type(node).__name__
        self.error(node, f"{_INSTEAD.get(kind, kind)} (refused in a limited source)")

    def visit_Import(self, node: ast.Import) -> ast.AST:
        """Refuse imports."""
        self.not_allowed(node)
        return node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST:
        """Refuse imports."""
        self.not_allowed(node)
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        """Refuse classes: their instances could not be changed, so they would be of little use."""
        self.not_allowed(node)
        return node

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST | Iterable[ast.AST] | None:
        """Tell how an item is changed in place, which RestrictedPython refuses."""
        if isinstance(node.target, ast.Name):
            return super().visit_AugAssign(node)
        target = ast.unparse(node.target)
        operation = ast.unparse(ast.BinOp(node.target, node.op, node.value))
        self.error(node, f"an item is not changed in place: write {target} = {operation}")
        return node

    def visit_Name(self, node: ast.Name) -> ast.AST | Iterable[ast.AST] | None:
        """Leave ``print`` a name like others, and ``_return`` the one that begins with ``_``."""
        if isinstance(node.ctx, ast.Load) and node.id in ("print", RETURN):
            return node
        if node.id == "printed":
            self.error(node, "printed is no name here: the text is with the result")
            return node
        return super().visit_Name(node)


def compiled(source: str) -> CodeType:
    """
    Compile a source, as an expression if it is one.

    Raises:
        Refused: it is no Python, or has what a limited source may not have.
    """
    try:
        is_expression = _is_expression(source)
    except SyntaxError as problem:
        raise Refused(f"line {problem.lineno}: {problem.msg}") from None
    except ValueError as problem:  # a null byte
        raise Refused(str(problem)) from None
    compile_ = compile_restricted_eval if is_expression else compile_restricted_exec
    result = compile_(source, FILENAME, policy=Policy)
    if result.errors or result.code is None:
        raise Refused("; ".join(result.errors))
    return result.code


def _is_expression(source: str) -> bool:
    """Tell whether a source is an expression. SyntaxError, ValueError: it is no Python."""
    try:
        ast.parse(source, FILENAME, "eval")
    except SyntaxError:
        ast.parse(source, FILENAME)
        return False
    return True


def environment(
    names: dict[str, object], print_: Callable[..., None], return_: Callable[..., None]
) -> dict[str, object]:
    """Return the global names of a source: what it was given, and what its guards are called."""
    return {
        "__builtins__": {**_BUILTINS, "print": print_},
        "__name__": "__limited__",
        "_getattr_": _getattr,
        "_getitem_": operator.getitem,
        "_getiter_": iter,
        "_iter_unpack_sequence_": guarded_iter_unpack_sequence,
        "_unpack_sequence_": guarded_unpack_sequence,
        "_inplacevar_": _in_place,
        "_apply_": _apply,
        "_write_": _write,
        "math": _MATH,
        "random": _RANDOM,
        "re": _RE,
        **names,
        RETURN: return_,
    }


def not_there(name: str) -> bool:
    """Tell whether Python has a name that limited sources have not."""
    return hasattr(builtins, name) and name not in _BUILTINS and name != "print"


_MISSING: Final = object()
_safer_getattr: Final[Callable[..., object]] = safer_getattr  # which has no annotations


def _getattr(obj: object, name: str) -> object:
    found: object = _safer_getattr(obj, name, _MISSING)
    if found is _MISSING:
        raise AttributeError(f"a {type(obj).__name__} has no attribute {name}")
    return found


def _write(obj: object) -> object:
    if type(obj) in (list, dict):
        return obj
    raise TypeError(f"a limited source changes lists and dicts, and not a {type(obj).__name__}")


def _apply(function: Callable[..., object], *args: object, **kwargs: object) -> object:
    return function(*args, **kwargs)


_OPERATORS: Final[dict[str, Callable[[object, object], object]]] = {
    "+=": operator.iadd,
    "-=": operator.isub,
    "*=": operator.imul,
    "/=": operator.itruediv,
    "%=": operator.imod,
    "**=": operator.ipow,
    "<<=": operator.ilshift,
    ">>=": operator.irshift,
    "|=": operator.ior,
    "^=": operator.ixor,
    "&=": operator.iand,
    "//=": operator.ifloordiv,
    "@=": operator.imatmul,
}


def _in_place(name: str, value: object, other: object) -> object:
    return _OPERATORS[name](value, other)


# RestrictedPython's, without what changes, makes or identifies objects; and what takes
# items, for which its own guards would be those above.
_NOT_OURS: Final = ("setattr", "delattr", "id", "__build_class__", "_getattr_")
_ITEMS: Final = (
    *(all, any, bytes, dict, enumerate, filter, frozenset, iter, list, map, max, min, next),
    *(reversed, set, sorted, sum, tuple, zip),
)
_BUILTINS: Final[dict[str, object]] = {
    **{name: value for name, value in safe_builtins.items() if name not in _NOT_OURS},
    **{each.__name__: each for each in _ITEMS},
}


def _namespace(module: object, *names: str) -> SimpleNamespace:
    return SimpleNamespace(**{name: getattr(module, name) for name in names})


_MATH: Final = _namespace(math, *(name for name in vars(math) if not name.startswith("_")))
_RANDOM: Final = _namespace(
    random, "choice", "choices", "gauss", "randint", "random", "sample", "shuffle", "uniform"
)
_RE: Final = _namespace(
    re, "compile", "escape", "findall", "finditer", "fullmatch", "match", "search", "split", "sub"
)
for _flag in ("IGNORECASE", "MULTILINE", "DOTALL"):
    setattr(_RE, _flag, int(getattr(re, _flag)))

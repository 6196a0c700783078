"""
Operators on what is no value, such as a reference or an answer that is still to come.

Python's own error for ``d["x"] + d["y"]`` says that two Deferreds cannot be added, which tells
nobody what to do. Classes that stand for something that is not here refuse such syntax in a
sentence of their own. They keep `==`, `hash` and `bool`, with which they can go anywhere; so
``len()``, which is asked for the last of these, is left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Final, NoReturn, TypeVar

T = TypeVar("T", bound=type)

#: By the name of a binary operator without its underscores: how it is written.
BINARY: Final = {
    "add": "+",
    "sub": "-",
    "mul": "*",
    "matmul": "@",
    "truediv": "/",
    "floordiv": "//",
    "mod": "%",
    "divmod": "divmod()",
    "pow": "**",
    "lshift": "<<",
    "rshift": ">>",
    "and": "&",
    "or": "|",
    "xor": "^",
}

#: By the name of a special method: how its use is written.
OPERATORS: Final = {
    **{f"__{name}__": symbol for name, symbol in BINARY.items()},
    **{f"__r{name}__": symbol for name, symbol in BINARY.items()},
    "__lt__": "<",
    "__le__": "<=",
    "__gt__": ">",
    "__ge__": ">=",
    "__neg__": "-",
    "__pos__": "+",
    "__invert__": "~",
    "__abs__": "abs()",
    "__round__": "round()",
    "__trunc__": "trunc()",
    "__floor__": "floor()",
    "__ceil__": "ceil()",
    "__int__": "int()",
    "__float__": "float()",
    "__complex__": "complex()",
    "__index__": "an index",
    "__iter__": "'for'",
    "__reversed__": "reversed()",
    "__contains__": "'in'",
    "__getitem__": "[...]",
    "__setitem__": "[...] =",
    "__delitem__": "del",
    "__enter__": "'with'",
    "__exit__": "'with'",
}

#: Those that look into an object, or enter it.
SYNTAX: Final = frozenset(
    """
    __iter__ __reversed__ __contains__ __getitem__ __setitem__ __delitem__ __enter__ __exit__
    """.split()
)


def refuses_operators(because: str, but: Collection[str] = ()) -> Callable[[T], T]:
    """
    Return a decorator for a class whose objects are no values.

    Args:
        because: The end of the sentence, after "+ needs a value, ".
        but: Special methods that are left as they are. Those that the class defines are, too.
    """

    def decorate(kind: T) -> T:
        for name, symbol in OPERATORS.items():
            if name not in kind.__dict__ and name not in but:
                setattr(kind, name, _refusing(name, f"{symbol} needs a value, {because}"))
        if "__format__" not in kind.__dict__:
            setattr(kind, "__format__", _format(because))  # noqa: B010  # mypy knows no such method
        return kind

    return decorate


def _refusing(name: str, sentence: str) -> Callable[..., NoReturn]:
    def refuse(self: object, *_args: object) -> NoReturn:
        raise TypeError(sentence)

    refuse.__name__ = name
    return refuse


def _format(because: str) -> Any:
    def refuse(self: object, spec: str) -> str:
        if spec:
            raise TypeError(f"the format {spec!r} needs a value, {because}")
        return str(self)

    refuse.__name__ = "__format__"
    return refuse

"""
`Annotations`: annotations as text, with the imports that the text needs.

Each part of an annotation is written by the name under which it can be imported. A class that
exposes names is written as its Protocol, for clients hold references to its objects. So is any
other class that is no value, as a result: a reactor has a `RemoteReference`, a script a netref,
of which no type is known.
"""

from __future__ import annotations

import enum
import inspect
import sys
import types
import typing
from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Any, ClassVar, Final, Literal, Self, TypeVar, Union

from zope.interface.interface import InterfaceClass

from txremote.stubs.flavours import Flavour
from txremote.values.compiling import value_type
from txremote.views.members import ITERABLES, ITERATORS, behind, exposes_names

#: Wrappers of an annotation that say nothing of its type, and those of a result to come.
_TRANSPARENT = (ClassVar, Final, Annotated)


class Imports:
    """The imports of a module: each name once, however many modules have one of that name."""

    def __init__(self) -> None:
        self._names: dict[str, tuple[str, str]] = {}  # as written: the module, and its name there

    def name(self, module: str, name: str) -> str:
        """Return how a name of a module is written here."""
        written = name
        if self._names.setdefault(written, (module, name)) != (module, name):
            written = f"{module.replace('.', '_')}_{name}"
            self._names[written] = (module, name)
        return written

    def text(self, own: str) -> str:
        """Return the lines: of Python's modules, of others, of the package ``own``."""
        groups: tuple[dict[str, list[str]], ...] = ({}, {}, {})
        for written, (module, name) in self._names.items():
            one = name if written == name else f"{name} as {written}"
            top = module.partition(".")[0]
            group = 2 if top == own else top not in sys.stdlib_module_names
            groups[group].setdefault(module, []).append(one)
        return "\n\n".join(
            "\n".join(_import(module, names[module]) for module in sorted(names))
            for names in groups
            if names
        )


def _import(module: str, names: Iterable[str]) -> str:
    ordered = sorted(names, key=lambda name: (not name.isupper(), name[0].islower(), name))
    line = f"from {module} import {', '.join(ordered)}"
    if len(line) <= 88:
        return line
    return "\n".join([f"from {module} import (", *(f"    {name}," for name in ordered), ")"])


class Annotations:
    """
    Writes annotations for one flavour.

    Args:
        flavour: For whom.
        imports: Where imports are noted.
        view: Called with each class that exposes names; returns the name of its Protocol.
        owner: The class that is written.
    """

    def __init__(
        self,
        flavour: Flavour,
        imports: Imports,
        view: Callable[[object], str],
        owner: object,
    ) -> None:
        self._flavour = flavour
        self._imports = imports
        self._view = view
        self._owner = owner
        self._variables: dict[str, TypeVar] = {}

    def type_variables(self) -> dict[str, str]:
        """Return the statements that define the type variables in what was written."""
        imported = self._imports.name("typing", "TypeVar") if self._variables else ""
        return {
            name: f"{name} = {imported}({', '.join(self._arguments(variable))})"
            for name, variable in self._variables.items()
        }

    def _arguments(self, variable: TypeVar) -> Iterator[str]:
        yield f'"{variable.__name__}"'
        for constraint in variable.__constraints__:
            yield self.text(constraint)
        if variable.__bound__ is not None:
            yield f"bound={self.text(variable.__bound__)}"

    def any(self) -> str:
        """Return ``Any``."""
        return self._imports.name("typing", "Any")

    def called(self, result: str) -> str:
        """Return what a call gives, by the text of its result."""
        return self._wrapped(self._flavour.call, result)

    def read(self, result: str) -> str:
        """Return what reading an attribute gives."""
        return self._wrapped(self._flavour.read, result)

    def _wrapped(self, wrapper: tuple[str, str] | None, result: str) -> str:
        return result if wrapper is None else f"{self._imports.name(*wrapper)}[{result}]"

    def result(self, annotation: object) -> str:
        """Return the text of a result, of what is behind a Deferred or a coroutine's Awaitable."""
        annotation = behind(annotation)
        origin = typing.get_origin(annotation) or annotation
        if origin in ITERABLES:
            args = typing.get_args(annotation)
            item = self.text(args[0], result=True) if args else self.any()
            kind = self._flavour.iterator if origin in ITERATORS else self._flavour.iterable
            return f"{self._imports.name('collections.abc', kind)}[{item}]"
        return self.text(annotation, result=True)

    def text(self, annotation: object, *, result: bool = False) -> str:
        """Return the text of an annotation: of an argument, or within a result."""
        if annotation is inspect.Parameter.empty or annotation is Any:
            return self.any()
        if annotation is None or annotation is type(None):
            return "None"
        if annotation is ...:
            return "..."
        if isinstance(annotation, list):  # the arguments of a Callable
            return f"[{', '.join(self.text(each) for each in annotation)}]"
        if isinstance(annotation, TypeVar):
            return self._type_variable(annotation)
        origin = typing.get_origin(annotation)
        if origin is not None:
            return self._generic(annotation, origin, typing.get_args(annotation), result)
        if annotation is Self:
            return self._view(self._owner)
        if isinstance(annotation, type | InterfaceClass):
            return self._class(annotation, result)
        return self._named(annotation)  # a NewType, an alias, Self, Never

    def _generic(self, annotation: object, origin: Any, args: tuple[Any, ...], result: bool) -> str:
        if origin in _TRANSPARENT:
            return self.text(args[0], result=result)
        if origin is Union or origin is types.UnionType:
            parts = [self.text(each, result=result) for each in args]
            return " | ".join(dict.fromkeys(parts))
        if origin is Literal:
            literal = self._imports.name("typing", "Literal")
            return f"{literal}[{', '.join(map(self._literal, args))}]"
        if result and not is_value(annotation):
            if self._flavour.call is not None:
                return self._imports.name("txremote", "RemoteReference")
            if origin.__module__ != "collections.abc":
                return self.any()
        name = "type" if origin is type else self._named(origin)
        inside = ", ".join(self.text(each, result=result) for each in args) or "()"
        return f"{name}[{inside}]"

    def _class(self, kind: Any, result: bool) -> str:
        if kind.__module__ == "builtins":
            return str(kind.__qualname__)
        if isinstance(kind, InterfaceClass) or (not is_value(kind) and exposes_names(kind)):
            return self._view(kind)
        if not result or is_value(kind):
            return self._named(kind)
        if self._flavour.call is None:
            return self.any()
        return self._imports.name("txremote", "RemoteReference")

    def _named(self, thing: Any) -> str:
        module = public_module(thing)
        qualname = getattr(thing, "__qualname__", None) or getattr(thing, "__name__", None)
        if qualname is None:
            qualname = str(thing).rpartition(".")[2]  # typing.Self and its kin
        if module == "builtins":
            return str(qualname)
        if "<locals>" in qualname:
            raise TypeError(
                f"{qualname} is defined within a function and cannot be imported: "
                "define it at the top of its module"
            )
        first, dot, rest = qualname.partition(".")
        return self._imports.name(module, first) + dot + rest

    def _literal(self, value: object) -> str:
        if isinstance(value, enum.Enum):
            return f"{self._named(type(value))}.{value.name}"
        return repr(value).replace("'", '"') if '"' not in repr(value) else repr(value)

    def _type_variable(self, variable: TypeVar) -> str:
        # a service is hosted without its class's type arguments
        if variable in getattr(self._owner, "__parameters__", ()):
            return self.any()
        self._variables.setdefault(variable.__name__, variable)
        return variable.__name__


def is_value(annotation: object) -> bool:
    """Tell whether the objects of a type travel as values."""
    return value_type(annotation) is not None


def public_module(thing: Any) -> str:
    """Return from which module something is imported: not a private one that has it first."""
    module: str = thing.__module__
    parts = module.split(".")
    name = (getattr(thing, "__qualname__", None) or "").partition(".")[0]
    for at, part in enumerate(parts):
        if part.startswith("_") and at:
            parent = ".".join(parts[:at])
            if getattr(sys.modules.get(parent), name, None) is thing:
                return parent
    return module

"""
`TypedReference` and `TypedNetref`: a remote object by the names that a class declares.

A `Declared` object tells the names, how each is called and what a call gives
(`txremote.views`); there are no others. References have no ``__conform__``, which never travels,
so zope's adapter hooks make typed ones too.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Any, Generic, NoReturn, Protocol, TypeVar

from zope.interface.declarations import Provides

from txremote.refs.netref import BaseNetref
from txremote.refs.ports import Answer
from txremote.refs.reference import RemotePath, RemoteReference, Unassignable

D = TypeVar("D")

Target = RemoteReference | RemotePath


class Declared(Protocol):
    """A class's declaration, as a reactor's view has it."""

    @property
    def name(self) -> str:
        """The class's name."""

    @property
    def interface(self) -> object:
        """The zope interface that it is, or None."""

    def names(self) -> Iterable[str]:
        """Return all names."""

    def read(self, target: Target, name: str) -> Any:
        """Return what a name of a remote object gives. AttributeError: it is not declared."""


class TypedReference(Unassignable, Generic[D]):
    """
    A remote object as a class or an interface describes it, with those names and no others.

    Methods are called as a path is, and raise `TypeError`, with nothing sent, where the call
    does not fit. Reactor thread only. As an argument of a remote call it is the reference it was
    made of.
    """

    __slots__ = ("__dict__", "_declared", "_target")

    _declared: Declared
    _target: Target

    def __init__(self, target: Target, declared: Declared) -> None:
        set_slot = object.__setattr__
        set_slot(self, "_target", target)
        set_slot(self, "_declared", declared)
        if declared.interface is not None:
            set_slot(self, "__provides__", Provides(TypedReference, declared.interface))

    def __getattr__(self, name: str) -> Any:
        return self._declared.read(self._target, name)

    def __dir__(self) -> list[str]:
        return list(self._declared.names())

    def __repr__(self) -> str:
        return f"<{self._declared.name} of {self._target!r}>"


class DeclaredAttribute(Protocol):
    """The declaration of an attribute."""

    def received(self, answer: Answer) -> Answer:
        """Have an answer give what is declared."""

    def view_of(self, path: RemotePath) -> TypedReference[Any] | None:
        """Return a view of what the attribute leads to, if its class exposes names."""


class TypedPath(RemotePath):
    """An attribute with a declared type: awaited, it gives that."""

    __slots__ = ("_attribute",)

    _attribute: DeclaredAttribute

    def __init__(self, path: RemotePath, attribute: DeclaredAttribute) -> None:
        super().__init__(path._base, path._names)
        object.__setattr__(self, "_attribute", attribute)

    def __getattr__(self, name: str) -> Any:
        view = None if name[:1] == "_" else self._attribute.view_of(self)
        return super().__getattr__(name) if view is None else getattr(view, name)

    def __await__(self) -> Generator[Answer, None, Any]:
        return self._attribute.received(self._read()).__await__()


class DeclaredNames(Protocol):
    """A class's declaration, as the view of a netref has it."""

    @property
    def name(self) -> str:
        """The class's name."""

    def names(self) -> Iterable[str]:
        """Return all names."""

    def read(self, target: BaseNetref, name: str) -> Any:
        """Return what a name of a netref gives. AttributeError: it is not declared."""

    def write(self, target: BaseNetref, name: str, value: object) -> None:
        """Set an attribute. AttributeError: it is none that is declared."""


class TypedNetref:
    """
    A netref as a class describes it, with those names and no others.

    Its methods wait for their results. Any thread that may block may use it. As an argument of a
    remote call it is the netref it was made of.
    """

    __slots__ = ("__weakref__", "_declared", "_target")

    _declared: DeclaredNames
    _target: BaseNetref

    def __init__(self, target: BaseNetref, declared: DeclaredNames) -> None:
        object.__setattr__(self, "_target", target)
        object.__setattr__(self, "_declared", declared)

    def __getattr__(self, name: str) -> Any:
        return self._declared.read(self._target, name)

    def __setattr__(self, name: str, value: object) -> None:
        self._declared.write(self._target, name, value)

    def __dir__(self) -> list[str]:
        return list(self._declared.names())

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a TypedNetref belongs to its connection: it is not pickled")

    def __repr__(self) -> str:
        return f"<{self._declared.name} of {self._target.____ref__!r}>"


def step(target: Target, name: str) -> RemotePath:
    """Return the path to a name of what a reference or a path leads to."""
    if isinstance(target, RemotePath):
        return RemotePath(target._base, (*target._names, name))
    return RemotePath(target, (name,))

"""
`TypedReference`: a remote object by the names of a zope interface.

``ICalculator(ref)`` adapts a `RemoteReference`, or a path such as a connection's root. The peer
is not asked whether its object keeps to the interface: a name that the object does not expose
is refused there.

References have no ``__conform__``, and names that start with ``_`` never travel, so this is
one of zope's adapter hooks. A netref is not adapted.
"""

from __future__ import annotations

from typing import Any

from zope.interface.declarations import Provides
from zope.interface.interface import adapter_hooks

from txremote.refs.contract import Contract, contract_of
from txremote.refs.ports import Answer
from txremote.refs.reference import RemotePath, RemoteReference, Unassignable


class TypedReference(Unassignable):
    """
    A remote object as an interface describes it, with the names of the interface and no others.

    Methods are called as a path is, and raise `TypeError`, with nothing sent, where the call
    does not fit. Reactor thread only. As an argument of a remote call it is the reference it was
    made of.
    """

    __slots__ = ("__dict__", "_contract", "_target")

    _contract: Contract
    _target: RemoteReference | RemotePath

    def __init__(self, target: RemoteReference | RemotePath, contract: Contract) -> None:
        set_slot = object.__setattr__
        set_slot(self, "_target", target)
        set_slot(self, "_contract", contract)
        set_slot(self, "__provides__", Provides(TypedReference, contract.interface))

    def __getattr__(self, name: str) -> Any:
        contract = self._contract
        if name not in contract.names:
            raise AttributeError(f"{contract.name} declares no {name!r}", name=name)
        method = contract.names[name]
        path = _step(self._target, name)
        if method is None:
            return path

        def call(*args: object, **kwargs: object) -> Answer:
            method.check(args, kwargs)
            return path(*args, **kwargs)

        return method.describe(call)

    def __dir__(self) -> list[str]:
        return list(self._contract.names)

    def __repr__(self) -> str:
        return f"<{self._contract.name} of {self._target!r}>"


def _step(target: RemoteReference | RemotePath, name: str) -> RemotePath:
    if isinstance(target, RemotePath):
        return RemotePath(target._base, (*target._names, name))
    return RemotePath(target, (name,))


def _adapt(interface: object, obj: object) -> TypedReference | None:
    # by the exact type: isinstance() of a netref may go to the network
    if type(obj) is RemoteReference or type(obj) is RemotePath:
        return TypedReference(obj, contract_of(interface))
    return None


adapter_hooks.append(_adapt)

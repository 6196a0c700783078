"""
`Contract`: the names and calls of an object, read from a zope interface.

The owner of the object lets a peer reach those names and no others (`txremote.gate.exposure`);
the caller checks its calls before they are sent (`txremote.refs.typed`).

zope.interface records positional parameters, their defaults, ``*args`` and ``**kwargs``, but
no keyword-only parameters: an interface writes those as optional ones.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from inspect import Parameter, Signature
from types import FunctionType
from typing import Any

from zope.interface.interface import InterfaceClass, Method

from txremote.refs.interface_source import written_method
from txremote.wire.exceptions import without_addresses

_TAG = "txremote.contract"

_LONGEST_PROBLEM = 200  # characters, for the name of an argument is the caller's


class MethodContract:
    """How one method of an interface is called: its name, docstring and signature."""

    __slots__ = ("_fewest", "_function", "_method", "_most", "_shown", "doc", "name", "signature")

    def __init__(self, interface_name: str, method: Any) -> None:  # zope's has no types
        self._method = method
        self._function: tuple[FunctionType | None] | None = None  # in a tuple once it was read
        self.name: str = method.getName()
        self.doc: str = method.getDoc()
        self.signature = _signature(method.getSignatureInfo())
        shown = without_addresses(str(self.signature))  # a default may be any object
        self._shown = f"{interface_name}.{self.name}{shown}"
        self._fewest = len(method.required)
        self._most = sys.maxsize if method.varargs else len(method.positional)

    def function(self) -> FunctionType | None:
        """Return the method as it is written, with annotations, or None; see `written_method`."""
        if self._function is None:  # each call asks, and it is read from the source
            self._function = (written_method(self._method.interface, self.name),)
        return self._function[0]

    def check(self, args: tuple[object, ...], kwargs: dict[str, object]) -> None:
        """Raise TypeError, with the signature, where a call does not fit."""
        if not kwargs and self._fewest <= len(args) <= self._most:
            return
        try:
            self.signature.bind(*args, **kwargs)
        except TypeError as problem:
            why = str(problem)[:_LONGEST_PROBLEM]
            raise TypeError(f"{self._shown}: {why}") from None

    def describe(self, function: Any) -> Any:
        """Give a function the method's name, docstring and signature, and return it."""
        function.__name__ = function.__qualname__ = self.name
        function.__doc__ = self.doc
        function.__signature__ = self.signature
        return function


def _signature(info: Mapping[str, Any]) -> Signature:
    optional, empty = info["optional"], Parameter.empty
    parameters = [
        Parameter(name, Parameter.POSITIONAL_OR_KEYWORD, default=optional.get(name, empty))
        for name in info["positional"]
    ]
    if info["varargs"]:
        parameters.append(Parameter(info["varargs"], Parameter.VAR_POSITIONAL))
    if info["kwargs"]:
        parameters.append(Parameter(info["kwargs"], Parameter.VAR_KEYWORD))
    return Signature(parameters)


class Contract:
    """An interface's names, inherited ones too: of methods their contracts, of others None."""

    __slots__ = ("interface", "name", "names")

    def __init__(self, interface: Any) -> None:
        self.interface: InterfaceClass = interface
        self.name: str = interface.getName()
        self.names: dict[str, MethodContract | None] = {
            name: MethodContract(self.name, element) if isinstance(element, Method) else None
            for name, element in interface.namesAndDescriptions(all=True)
        }


def contract_of(interface: object) -> Contract:
    """Return the contract of a zope interface, which keeps it; TypeError for other objects."""
    if not isinstance(interface, InterfaceClass):
        raise TypeError(f"{interface!r} is no zope.interface Interface")
    described: Any = interface
    contract: Contract | None = described.queryDirectTaggedValue(_TAG)
    if contract is None:
        contract = Contract(interface)
        described.setTaggedValue(_TAG, contract)
    return contract

"""
`told_signature`: the signature of a method, as its peer may read it.

It has the names and the annotations that the method is written with, and ``...`` for each default,
which may be any object. Nothing of it is evaluated.
"""

from __future__ import annotations

import inspect
from types import FunctionType

from txremote.gate.exposure import static
from txremote.gate.threaded import ThreadedMethod
from txremote.refs.contract import MethodContract
from txremote.values.planning import signature_text


def told_signature(obj: object, name: str, contract: MethodContract | None) -> str | None:
    """
    Return the signature of a method that a peer may call; None where none is known.

    Args:
        obj: The object that has it.
        name: Its name, as in the class.
        contract: How an interface declares it, if the object is exposed by one.
    """
    if name[:2] == "__" and name != "__call__":
        return None  # syntax calls those
    if contract is not None:
        written = contract.function()
        return str(contract.signature) if written is None else signature_text(written)
    found = static(obj, name)
    bound = not isinstance(found, staticmethod) and hasattr(type(found), "__get__")
    if isinstance(found, staticmethod | classmethod):
        found = found.__func__
    if type(found) is ThreadedMethod:
        found = found.function
    if isinstance(found, type):
        found = inspect.getattr_static(found, "__init__")
        text = signature_text(found, bound=True) if type(found) is FunctionType else None
        return None if text is None else text.removesuffix(" -> None")
    return signature_text(found, bound) if callable(found) else None

"""
Methods reached in a way of their own: steps of generators and streams, and what shows an object.

Functions and coroutines are given here in place of methods. So this is not compiled, as
`txremote.peer.calling` is: of mypyc's the gate and `txremote.peer.awaiting` know nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import AsyncGeneratorType
from typing import Any, Protocol

from txremote.gate.access import AccessPolicy
from txremote.gate.exposure import is_class
from txremote.gate.threaded import ThreadedMethod
from txremote.peer.abandoned import step
from txremote.peer.checked import Checked
from txremote.peer.references import ReferenceTables

_END = object()


class Reaching(Protocol):
    """The connection over which a peer reaches objects, as far as it is needed here."""

    policy: AccessPolicy
    tables: ReferenceTables
    connection: Any


def reach_step(serving: Reaching, obj: Any, name: Any) -> Any:
    """Read an attribute of an asynchronous generator, or of a stream."""
    executor = serving.connection.executor
    if type(obj) is AsyncGeneratorType:
        if name == "__iter__":
            serving.policy.get(obj, "__aiter__")
            return lambda: obj  # BUFFITER knows how to go on
        return partial(step, executor, serving.policy.get(obj, name))
    found = serving.policy.get(obj, name)
    if obj.blocks:
        return ThreadedMethod(found)
    if not obj.is_async or name in ("__iter__", "__aiter__"):
        return found
    if name == "__next__":  # of one who knows no other iterators
        return lambda: Checked(_stepped(executor, obj.__anext__), _next_or_end)
    return partial(step, executor, found)


async def _stepped(executor: Any, method: Callable[[], Any]) -> object:
    try:
        return await step(executor, method)
    except StopAsyncIteration:
        return _END


def _next_or_end(found: object) -> object:
    if found is _END:
        raise StopIteration
    return found


def reach_showing(serving: Reaching, obj: object, name: str) -> Callable[..., object]:
    """Return what shows an object without its address, in place of its method of that name."""
    if is_class(obj):  # of a class it is a function of the instance
        return lambda instance, *args: _show(serving, instance, name, args)
    return lambda *args: _show(serving, obj, name, args)


def _show(serving: Reaching, obj: object, name: str, args: tuple[object, ...]) -> object:
    export = serving.tables.exports.of(obj)
    number = export.number if export is not None else 0
    if name == "__hash__":
        return serving.policy.hash(obj, number)
    if name == "__format__":
        return serving.policy.format(obj, number, *args)
    return serving.policy.repr(obj, number, repr if name == "__repr__" else str)

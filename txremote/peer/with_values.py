"""
Requests with values in their arguments (`call_with_values`), of which nothing else has to know.

A handler gets values as they are. Two have to have them as they were unboxed: a thread, whose
references are netrefs, and a third peer, to which a path goes on, and which gets them as values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from txremote.gate.threaded import ThreadedCall
from txremote.peer.calling import call_path
from txremote.peer.handlers import RequestKind
from txremote.refs.received import settled
from txremote.wire.naming import class_name, with_article
from txremote.wire.values import ReceivedValue


def check_target(kind: RequestKind, args: object) -> None:
    """
    Check that a request is not about a value: a peer works on what it holds a reference to.

    Raises:
        TypeError: it is.
    """
    if not kind.in_order and type(args) is tuple and args and type(args[0]) is ReceivedValue:
        name = with_article(class_name(type(args[0].value)))
        raise TypeError(f"{name} by value is no reference to an object here")


def call_with_values(
    handler: Callable[..., object], received: tuple[Any, ...], serving: Any, *given: Any
) -> object:
    """
    Serve a request by its handler.

    Args:
        received: Its arguments as they were unboxed.
        given: The same, with netrefs in a thread that has them.
    """
    if handler is call_path:
        handler = partial(call_path, onward=received[2:])
    return _for_thread(handler(serving, *settled(given)), received)


def _for_thread(result: object, received: tuple[object, ...]) -> object:
    if type(result) is ThreadedCall:
        mixed = {id(each.value): each for each in _values(received) if each.mixed}
        if mixed:
            result.args = tuple([_unsettled(arg, mixed) for arg in result.args])
            result.kwargs = {name: _unsettled(arg, mixed) for name, arg in result.kwargs.items()}
    return result


def _values(received: object) -> Iterator[ReceivedValue]:
    if type(received) is ReceivedValue:
        yield received
    elif type(received) is tuple:
        for item in received:
            yield from _values(item)


def _unsettled(value: object, mixed: dict[int, ReceivedValue]) -> object:
    if type(value) is tuple and id(value) not in mixed:
        return tuple([_unsettled(item, mixed) for item in value])
    return mixed.get(id(value), value)

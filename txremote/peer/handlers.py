"""
The table of what each request of the peer does: one function per handler number.

`HANDLERS` at the end has them all, with how each is served (`RequestKind`). A function gets
the `Serving` context and the unboxed arguments, checks these, and gives a result or raises; a
Deferred or a coroutine as the result is answered when it fires. None of them may reach an
object except through ``serving.policy``. Reading and calling are `txremote.peer.calling`'s.

Where the object is a reference to some third peer's object, the request is passed on to its
owner as it is: so an object may travel through a server, and be used through it.
"""

from __future__ import annotations

import pickle
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from itertools import islice
from types import AsyncGeneratorType
from typing import Any

from txremote.config import ConnectionConfig
from txremote.gate.exposure import is_class
from txremote.gate.fetchable import check_fetchable
from txremote.gate.threaded import ThreadedCall, ThreadedMethod
from txremote.peer.abandoned import step
from txremote.peer.calling import (
    Serving,
    call,
    call_attribute,
    call_path,
    delete_attribute,
    get_attribute,
    no_arguments,
    permitted,
    set_attribute,
    unprepared,
)
from txremote.peer.context import current
from txremote.peer.exports import Export
from txremote.peer.halfway import Halfway
from txremote.peer.lifecycle import GOODBYE
from txremote.peer.outgoing import serve_stream
from txremote.peer.subscriptions import serve_subscription
from txremote.peer.variables import Within, own_context
from txremote.refs.netref import BaseNetref, is_base_netref
from txremote.refs.reference import RemoteReference
from txremote.streams.source import Stream
from txremote.wire import consts
from txremote.wire.consts import HELLO_MARK, HELLO_VERSION
from txremote.wire.exceptions import load_exception
from txremote.wire.exit_errors import builtin_error, exit_error
from txremote.wire.keys import check_pack, key_of
from txremote.wire.values import AsValue

#: Most objects that one RELEASE gives back: each is looked up, and a message may have a million.
MOST_RELEASED = 25_000

#: Most items that one BUFFITER gives, however many were asked for.
LARGEST_CHUNK = 1000

# Bytes after which a chunk is full: the peer reads no endless frames.
_LONGEST_CHUNK = 1 << 20


def _export(serving: Serving, obj: object) -> Export:
    export = serving.tables.exports.of(obj)
    if export is None:
        serving.policy.check_reference(obj)
        raise TypeError("the object is no reference to an object here")
    return export


def _number(serving: Serving, obj: object) -> int:
    """Return an object's export number, 0 if it was given back while its request waited."""
    export = serving.tables.exports.of(obj)
    if export is None:
        serving.policy.check_reference(obj)
        return 0
    return export.number


def _ping(serving: Serving, data: object = None) -> object:
    if type(data) is tuple and len(data) == 3 and data[0] == HELLO_MARK:
        return _hello(serving, data[1], data[2])
    return data


def _close(serving: Serving, _arguments: object, _size: int) -> None:
    serving.connection.closing.close(GOODBYE, say_goodbye=False)


def _getroot(serving: Serving) -> object:
    return serving.root


def _repr(serving: Serving, obj: object) -> str:
    return serving.policy.repr(obj, _number(serving, obj))


def _str(serving: Serving, obj: object) -> str:
    return serving.policy.repr(obj, _number(serving, obj), str)


def _hash(serving: Serving, obj: object) -> int:
    return serving.policy.hash(obj, _number(serving, obj))


def _cmp(serving: Serving, obj: object, other: object, operator: object = "__cmp__") -> object:
    return serving.policy.comparison(obj, operator)(obj, other)


def _dir(serving: Serving, obj: object) -> tuple[str, ...]:
    return serving.policy.names(obj)


def _pickle(serving: Serving, obj: object, protocol: Any) -> bytes:
    if not serving.config.allow_pickle:
        raise ValueError(
            "pickling is disabled: whoever has the object must be given allow_pickle=True"
        )  # the first words are rpyc 6.0.2's
    serving.policy.check_reference(obj)
    return pickle.dumps(obj, protocol)


def _inspect(serving: Serving, pack: object) -> object:
    # a third peer's object does not come here: the request goes on to its owner
    return serving.policy.methods(serving.tables.find_pack(key_of(check_pack(pack))).target)


def _describe(serving: Serving, pack: object) -> object:
    target = serving.tables.find_pack(key_of(check_pack(pack))).target
    return serving.policy.described(target)


def _fetch(serving: Serving, obj: object) -> object:
    serving.policy.check_reference(obj)
    if is_base_netref(obj):  # a third peer's, in a thread
        return serving.pass_on(obj.____ref__._connection, consts.HANDLE_FETCH, (obj.____ref__,))
    serving.policy.description(serving.root)  # what its annotations declare may be fetched
    check_fetchable(serving.policy, obj, serving.policy.gives_records)
    return AsValue(obj)


def _instancecheck(serving: Serving, obj: Any, other: object) -> object:
    serving.policy.check_reference(obj)
    export = serving.tables.exports.find(key_of(check_pack(other)))
    if issubclass(type(obj), BaseNetref):
        obj = obj.____ref__
    if type(obj) is RemoteReference:
        # a third peer's class: its objects have other ids there
        target = export.target if export is not None else None
        owner: object = obj._connection
        if type(target) is RemoteReference and target._connection is owner:
            return serving.pass_on(owner, consts.HANDLE_INSTANCECHECK, (obj, target._pack))
        return False
    if not is_class(obj):
        raise TypeError("isinstance() arg 2 must be a class, type, or tuple of classes and types")
    if export is None or export.pack[2] == 0:
        return False
    return issubclass(type(export.target), obj)


def _size(item: Any) -> int:
    """Return about how many bytes an item takes in a message."""
    kind = type(item)
    if kind is str or kind is bytes:
        return len(item)
    return 64 if kind is not tuple else 64 + sum(map(_size, item))


async def _next_of(
    serving: Serving, generator: AsyncIterator[object], export: Export | None
) -> tuple[object, ...]:
    """Return an asynchronous generator's next item alone: others may be long in coming."""
    context = (export and export.context) or own_context()
    if export is not None:
        export.left = context
    context.run(current.set, current.get())
    try:
        taken = step(serving.connection.executor, generator.__anext__, context=context)
        return (await Within(taken.__await__(), context),)
    except StopAsyncIteration:
        return ()


def _some_of(stream: Stream) -> tuple[object, ...]:
    """Return the next item alone, in a thread."""
    return tuple(islice(stream, 1))


def _buffiter(serving: Serving, obj: Any, count: object) -> object:
    if type(count) is not int or count < 1:
        raise ValueError(f"a chunk of {count!r} items")
    serving.policy.check_reference(obj)
    export = serving.tables.exports.of(obj)  # None if it was given back meanwhile
    if type(obj) is AsyncGeneratorType:
        serving.policy.get(obj, "__anext__")
        return _next_of(serving, obj, export)
    if type(obj) is Stream and (obj.is_async or obj.blocks):
        serving.policy.get(obj, "__next__")
        if obj.is_async:
            return _next_of(serving, obj.iterator(), export)
        return ThreadedCall(ThreadedMethod(_some_of), (obj,), {})
    for needed in ("__iter__", "__next__"):
        serving.policy.get(obj, needed)  # only the permission: islice calls the type's own
    if export is not None and isinstance(export.left, BaseException):
        trouble, export.left = export.left, None
        raise trouble
    items: list[object] = []
    try:
        size = 0
        for item in islice(obj, min(count, LARGEST_CHUNK)):
            items.append(item)
            size += _size(item)
            if size > _LONGEST_CHUNK:
                break
    except Exception as trouble:
        # the items before it must not be lost: they go now, it goes next
        if not items:
            raise
        if export is not None:
            export.left = trouble
    return tuple(items)


def _oldslicing(
    serving: Serving,
    obj: object,
    attempt: object,
    fallback: object,
    start: object,
    stop: object,
    args: object,
) -> object:
    if type(args) is not tuple:
        raise no_arguments()
    try:
        return call_attribute(serving, obj, attempt, (slice(start, stop), *args))
    except Exception:  # any refusal of a slice leads to the older method
        end = (1 << 63) - 1 if stop is None else stop
        return call_attribute(serving, obj, fallback, (start, end, *args))


def _ctxexit(serving: Serving, obj: object, error: object = None) -> object:
    leave = permitted(serving, unprepared(serving.policy.get(obj, "__exit__")))
    if error is None or error is False:
        return leave(None, None, None)
    local = _local_exception(error, serving.config)
    return leave(type(local), local, None)


def _local_exception(error: Any, config: ConnectionConfig) -> BaseException:
    """Return the exception that a peer told, or one of the class that it named."""
    if issubclass(type(error), BaseNetref):
        error = error.____ref__
    if type(error) is not RemoteReference:
        if isinstance(error, BaseException):
            return error
        if isinstance(error, type) and issubclass(error, BaseException):
            return error()
        return exit_error(
            error,
            instantiate_custom=config.instantiate_custom_exceptions,
            import_custom=config.import_custom_exceptions,
        )
    module, _dot, name = error._pack[0].rpartition(".")
    found = builtin_error(name) if module == "builtins" else None
    return found or load_exception(((module, name), (), (), ""))


def _del(serving: Serving, obj: object, count: object = 1) -> None:
    exports = serving.tables.exports
    exports.give_back(_export(serving, obj), count)


def _release(serving: Serving, pairs: object) -> None:
    if type(pairs) is tuple and len(pairs) > MOST_RELEASED:
        raise ValueError(f"RELEASE takes {MOST_RELEASED} pairs at most")
    if type(pairs) is not tuple or any(type(pair) is not tuple or len(pair) != 2 for pair in pairs):
        raise TypeError("RELEASE takes a tuple of pairs")
    problems: list[str] = []
    for pack, count in pairs:
        try:
            export = serving.tables.find_pack(key_of(check_pack(pack)))
            serving.tables.exports.give_back(export, count)
        except (KeyError, ValueError) as problem:
            if len(problems) < 10:
                problems.append(str(problem))
    if problems:
        raise ValueError("; ".join(problems))


def _hello(serving: Serving, version: object, features: object) -> tuple[object, ...]:
    if type(version) is not int or type(features) is not tuple:
        raise TypeError("HELLO takes a version and a tuple of feature names")
    known = frozenset(name for name in features if type(name) is str)
    serving.connection.hello_received(known)
    if consts.FEATURE_VALUES not in known:
        return HELLO_VERSION, serving.features
    return HELLO_VERSION, serving.features, serving.policy.description(serving.root)


def _deadline(serving: Serving, number: object, milliseconds: object) -> None:
    if type(number) is not int or type(milliseconds) is not int or milliseconds < 0:
        raise TypeError("DEADLINE takes the number of a request and milliseconds")
    serving.expect_deadline(number, milliseconds / 1000)


def _trace(serving: Serving, arguments: object, _size: int) -> None:
    serving.note_context(arguments)


def _keep(serving: Serving, numbers: object, _size: int) -> None:
    serving.keeping().keep(numbers)


def _forget(serving: Serving, numbers: object, _size: int) -> None:
    serving.keeping().forget(numbers)


def _items(serving: Serving, arguments: object, size: int) -> None:
    if serving.connection.streams is not None:
        serving.connection.streams.receive(arguments, size)


def _credit(serving: Serving, arguments: object, _size: int) -> None:
    streams = serving.connection.streams
    if streams is not None and type(arguments) is tuple and len(arguments) == 3:
        streams.allow(*arguments)


def _events(serving: Serving, arguments: object, size: int) -> None:
    subscriptions = serving.connection.subscriptions
    if subscriptions is not None:
        subscriptions.receive(arguments, size)


def _event_credit(serving: Serving, arguments: object, _size: int) -> None:
    subscriptions = serving.connection.subscriptions
    if subscriptions is not None and type(arguments) is tuple and len(arguments) == 3:
        subscriptions.allow(*arguments)


def _stopping(serving: Serving) -> None:
    connection = serving.connection
    if not connection.peer_stopping:
        connection.peer_stopping = True
        connection.on_peer_stopping()


def _halfway(serving: Serving, number: object, position: object, value: object) -> None:
    if type(number) is not int or type(position) is not int:
        raise TypeError("HALFWAY takes the number of a request, a position and a value")
    serving.connection.outbound.left_halfway(number, Halfway(position, value))


def _operations(serving: Serving) -> object:
    if serving.operations is None:
        raise PermissionError(
            "nobody is an operator here: twistd txremote --operators USERS says who is"
        )
    return serving.operations(serving.connection)


def _cancel(serving: Serving, number: object) -> None:
    if type(number) is int:
        serving.cancel(number)


#: Serves one request: called with the `Serving` and the unboxed arguments.
Handler = Callable[..., object]


@dataclass(frozen=True, slots=True)
class RequestKind:
    """
    How the requests of one handler number are served.

    Attributes:
        in_order: Whether it is work on the connection itself, done as it arrives:
            not counted as a call, and never put in a lane.
        forwarded: Whether it is passed on to the owner of its first argument, where that
            is a third peer's object.
        forwarded_by_pack: The same, where its first argument is an id pack.
        answered: Whether it is answered. If not it is in order, and its function gets its
            arguments as they came, in one piece, and the message's size: no error would be told.
    """

    function: Handler
    in_order: bool = False
    forwarded: bool = False
    forwarded_by_pack: bool = False
    answered: bool = True


def _of_connection(function: Handler, **flags: bool) -> RequestKind:
    return RequestKind(function, in_order=True, **flags)


def _of_object(function: Handler) -> RequestKind:
    return RequestKind(function, forwarded=True)


#: Every request that is understood, by its handler number.
HANDLERS: dict[int, RequestKind] = {
    consts.HANDLE_PING: _of_connection(_ping),
    consts.HANDLE_CLOSE: _of_connection(_close, answered=False),
    consts.HANDLE_GETROOT: _of_connection(_getroot),
    consts.HANDLE_GETATTR: _of_object(get_attribute),
    consts.HANDLE_DELATTR: _of_object(delete_attribute),
    consts.HANDLE_SETATTR: _of_object(set_attribute),
    consts.HANDLE_CALL: _of_object(call),
    consts.HANDLE_CALLATTR: _of_object(call_attribute),
    consts.HANDLE_REPR: _of_object(_repr),
    consts.HANDLE_STR: _of_object(_str),
    consts.HANDLE_CMP: _of_object(_cmp),
    consts.HANDLE_HASH: _of_object(_hash),
    consts.HANDLE_DIR: _of_object(_dir),
    consts.HANDLE_PICKLE: _of_object(_pickle),
    consts.HANDLE_DEL: _of_connection(_del),
    consts.HANDLE_INSPECT: _of_connection(_inspect, forwarded_by_pack=True),
    consts.HANDLE_BUFFITER: _of_object(_buffiter),
    consts.HANDLE_OLDSLICING: _of_object(_oldslicing),
    consts.HANDLE_CTXEXIT: _of_object(_ctxexit),
    consts.HANDLE_INSTANCECHECK: RequestKind(_instancecheck),  # sees to forwarding itself
    consts.HANDLE_HELLO: _of_connection(_hello),
    consts.HANDLE_CANCEL: _of_connection(_cancel),
    consts.HANDLE_CALLPATH: RequestKind(call_path),  # likewise
    consts.HANDLE_RELEASE: _of_connection(_release),
    consts.HANDLE_STOPPING: _of_connection(_stopping),
    consts.HANDLE_DEADLINE: _of_connection(_deadline),
    consts.HANDLE_HALFWAY: _of_connection(_halfway),
    consts.HANDLE_DESCRIBE: _of_connection(_describe, forwarded_by_pack=True),
    consts.HANDLE_FETCH: _of_object(_fetch),
    consts.HANDLE_TRACE: _of_connection(_trace, answered=False),
    consts.HANDLE_OPERATIONS: _of_connection(_operations),
    consts.HANDLE_STREAM: RequestKind(serve_stream),  # it sees to a third peer's itself
    consts.HANDLE_ITEMS: _of_connection(_items, answered=False),
    consts.HANDLE_CREDIT: _of_connection(_credit, answered=False),
    consts.HANDLE_KEEP: _of_connection(_keep, answered=False),
    consts.HANDLE_FORGET: _of_connection(_forget, answered=False),
    consts.HANDLE_SUBSCRIBE: _of_connection(serve_subscription),
    consts.HANDLE_EVENTS: _of_connection(_events, answered=False),
    consts.HANDLE_EVENT_CREDIT: _of_connection(_event_credit, answered=False),
}

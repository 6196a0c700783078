"""
`RemoteReference`: an object that lives at the peer.

Using a reference as a local object never touches the network. Reading a name gives a path, and
nothing is sent until a path is *called* (one request, one Deferred) or *awaited* (one request
for the attribute's value). ``repr``, ``==``, ``hash``, ``bool``, ``callable`` and
``isinstance`` are all local, so a reference can go anywhere an object can: into a dict, through
a Deferred's callbacks, into zope's adapters.

Names that start with ``_`` raise AttributeError at once, so that ``__conform__`` and the like
never travel; ``callRemote("name", ...)`` reaches any name, as in Twisted's Perspective Broker.
"""

from __future__ import annotations

import weakref
from collections.abc import AsyncIterator, Callable, Generator
from contextvars import copy_context
from typing import Any, NoReturn, Protocol

from twisted.internet.interfaces import ITransport

from txremote.config import ConnectionConfig
from txremote.refs import forks
from txremote.refs.awaiting import AwaitableDeferred, callbacks_of
from txremote.refs.iteration import OneByOne, RemoteIterator
from txremote.refs.operators import SYNTAX, refuses_operators
from txremote.refs.ports import Answer, RequestContext
from txremote.refs.reading import IncomingStream, Items, begin_steps, is_stream, steps_of
from txremote.wire.consts import HANDLE_CTXEXIT, IdPack
from txremote.wire.exit_errors import told_exit


class Caller(Protocol):
    """Calls what a path leads to."""

    def call(
        self,
        reference: RemoteReference,
        names: tuple[str, ...],
        args: tuple[object, ...] | None,
        kwargs: dict[str, object],
        deadline: float | None = None,
    ) -> Answer:
        """Call the object that a path leads to, or with ``args`` None read it."""


class Outbound(Caller, Protocol):
    """Sends requests in the connection's context."""

    def request(
        self, handler: int, args: tuple[object, ...], timeout: float | None = None
    ) -> Answer:
        """Send a request by its number, to be answered within some seconds."""

    def request_with_default_timeout(
        self, handler: int, args: tuple[object, ...], deadline: float | None = None
    ) -> Answer:
        """Send a request by its number."""

    def call_received(
        self,
        reference: RemoteReference,
        names: tuple[str, ...],
        args: tuple[object, ...] | None,
        kwargs: dict[str, object],
        deadline: float | None = None,
    ) -> Answer:
        """Do as `call`; a value is given as it was unboxed."""

    def request_received(
        self, handler: int, args: tuple[object, ...], deadline: float | None = None
    ) -> Answer:
        """Do as `request_with_default_timeout`; a value is given as it was unboxed."""


class RequestSender(Caller, Protocol):
    """The `Connection`, as far as references, netrefs and views use it."""

    avatar: Any  # the user's object
    config: ConnectionConfig
    features: frozenset[str]  # the extensions that the peer knows
    transport: ITransport | None

    @property
    def executor(self) -> RequestContext:
        """Leads into the connection's context."""

    @property
    def outbound(self) -> Outbound:
        """Sends requests, without a check of the thread."""

    @property
    def view(self) -> Any:
        """The `BlockingView`."""

    @property
    def is_closing(self) -> bool:
        """Whether it is being closed, or has been."""

    @property
    def closed(self) -> bool:
        """Whether it has ended."""

    @property
    def home(self) -> forks.Process:
        """The process that it belongs to."""

    @property
    def is_txremote(self) -> bool:
        """Whether the peer has said that it is a txremote."""

    @property
    def root(self) -> object:
        """The peer's service, or a path that fetches it."""

    def fetch_root(self) -> Answer:
        """Ask for the peer's service."""

    def open_stream(self, reference: RemoteReference, keeps: bool) -> IncomingStream:
        """Begin to read a stream of the peer's."""

    def request(self, handler: int, *args: object) -> Answer:
        """Send a request; only the connection's thread may."""


class ReferenceNote(Protocol):
    """The connection's note of a reference."""

    count: int


def _private(owner: object, name: str) -> AttributeError:
    return AttributeError(
        f"{type(owner).__name__} has no attribute {name!r}: names that start with _ "
        f"stay here; callRemote({name!r}, ...) or get_remote(ref, {name!r}) sends them",
        name=name,  # else Python looks for a name like it, among our own
    )


# On a path, one of these is nearly always a mistake and not a name of the peer's.
_OF_DEFERREDS = frozenset(
    {"addCallback", "addCallbacks", "addErrback", "addBoth", "addTimeout", "chainDeferred"}
)


#: How to have a value where there is a reference, at the end of an error.
TO_HAVE_A_COPY = (
    "copy it by 'await fetch(ref)', or have it sent as a value: by value(x), or by an annotation "
    "and values=True"
)


class Unassignable:
    """The base of remote objects for a reactor: an assignment could not be awaited."""

    __slots__ = ()

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(
            f"an assignment cannot be awaited: await set_remote(ref, {name!r}, value)"
        )

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"del cannot be awaited: await del_remote(ref, {name!r})")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(
            f"a {type(self).__name__} belongs to its connection, and is not pickled or copied as "
            f"it is: {TO_HAVE_A_COPY}"
        )


@refuses_operators(
    f"and this is a reference to an object at the peer: {TO_HAVE_A_COPY}",
    but=("__getitem__", "__enter__", "__exit__"),
)
class _Remote(Unassignable):
    """The common part of references and paths: syntax that cannot be awaited is refused."""

    __slots__ = ()

    def __iter__(self) -> NoReturn:
        raise TypeError(
            f"a {type(self).__name__} is iterated with 'async for', not 'for': or {TO_HAVE_A_COPY}"
        )

    def __contains__(self, item: object) -> NoReturn:
        raise TypeError(
            "'in' cannot wait for an answer: await ref.callRemote('__contains__', item), "
            f"or use 'async for', or {TO_HAVE_A_COPY}"
        )

    def __len__(self) -> NoReturn:
        raise TypeError(
            f"len() cannot wait for an answer: await len_remote(ref), or {TO_HAVE_A_COPY}"
        )

    def __array__(self, *_args: object, **_kwargs: object) -> NoReturn:
        # without it numpy would make an array of the reference itself
        raise TypeError(
            "numpy cannot wait for an answer: make the array in code that may block "
            "(@threaded, txremote.blocking), or of a copy: await fetch(ref)"
        )

    def __enter__(self) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} is entered with 'async with', not 'with'")

    def __exit__(self, *_args: object) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} is left with 'async with', not 'with'")

    def __bool__(self) -> bool:
        return True

    def __setitem__(self, key: object, value: object) -> NoReturn:
        raise TypeError(
            "an assignment cannot be awaited: await ref.callRemote('__setitem__', key, value)"
        )

    def __delitem__(self, key: object) -> NoReturn:
        raise TypeError("del cannot be awaited: await ref.callRemote('__delitem__', key)")


@refuses_operators(
    "and this is a path to a name at the peer: await it first",
    but=SYNTAX,
)
class RemotePath(_Remote):
    """
    A name at the peer, not fetched: the result of reading an attribute.

    Call it to call the method (a Deferred), await it to have the value, read
    on to go deeper. Nothing is sent before that. Reactor thread only.
    """

    __slots__ = ("_base", "_names")

    _base: RemoteReference | LateReference | CallResult
    _names: tuple[str, ...]

    def __init__(
        self, base: RemoteReference | LateReference | CallResult, names: tuple[str, ...]
    ) -> None:
        _set_base(self, base)
        _set_names(self, names)

    def __getattr__(self, name: str) -> RemotePath:
        if name[:1] == "_":
            raise _private(self, name)
        if name in _OF_DEFERREDS:
            raise AttributeError(
                f"a path is no Deferred and has no {name}: call it, or read its value "
                f"with get_remote() (callRemote({name!r}) asks the peer for that name)",
                name=name,
            )
        return RemotePath(self._base, (*self._names, name))

    def __call__(self, /, *args: object, **kwargs: object) -> CallResult:
        """
        Call the object that the path leads to.

        Returns:
            A Deferred of the result. It fails with the remote exception, or
            with `ConnectionLost` or `DeadReferenceError`.

        Raises:
            WrongThread: this is not the reactor's thread.
        """
        base = self._base
        if type(base) is RemoteReference:  # the common case, with a call less
            return base._connection.call(base, self._names, args, kwargs)  # type: ignore[return-value]
        return base._call(self._names, args, kwargs)  # type: ignore[return-value]

    def callRemote(self, name: str, /, *args: object, **kwargs: object) -> CallResult:
        """Call a method of the object that the path leads to, by any name."""
        return self._base._call((*self._names, name), args, kwargs)  # type: ignore[return-value]

    def __await__(self) -> Generator[Answer, None, Any]:
        return self._read().__await__()

    def __getitem__(self, key: object) -> CallResult:
        return self._base._call((*self._names, "__getitem__"), (key,), {})  # type: ignore[return-value]

    def __aiter__(self) -> AsyncIterator[Any]:
        return RemoteIterator(self._base._call((*self._names, "__iter__"), (), {}))

    def _read(self) -> Answer:
        return self._base._call(self._names, None, {})

    def __repr__(self) -> str:
        return f"<RemotePath {'.'.join(self._names) or '(root)'} of {self._base!r}>"


_new_path = object.__new__
_set_base = RemotePath.__dict__["_base"].__set__
_set_names = RemotePath.__dict__["_names"].__set__


class RemoteReference(_Remote):
    """
    An object at the peer, held by reference.

    There is one reference for an object for as long as this side holds it: receiving the
    object again gives the same. When the reference dies, the peer is told.

    Awaiting it gives itself, so ``await`` may be written wherever a value might
    be a reference. Reactor thread only, but for `repr` and dropping it.
    """

    __slots__ = (
        "__weakref__",
        "_call_prefixes",
        "_connection",
        "_held",
        "_key",
        "_netref",
        "_pack",
        "_steps",
    )

    _connection: RequestSender
    _key: bytes
    _pack: IdPack
    _call_prefixes: dict[tuple[str, ...], bytes] | None
    _held: ReferenceNote
    _netref: weakref.ref[Any] | None
    _steps: Any  # what reads it step by step, from the first step on

    def __init__(
        self,
        connection: RequestSender,
        key: bytes,
        pack: IdPack,
        hold: Callable[[RemoteReference, bytes, IdPack], ReferenceNote],
    ) -> None:
        set_slot = object.__setattr__
        set_slot(self, "_connection", connection)
        set_slot(self, "_key", key)
        set_slot(self, "_pack", pack)
        set_slot(self, "_call_prefixes", None)
        set_slot(self, "_netref", None)
        set_slot(self, "_held", hold(self, key, pack))

    def _start_call_prefixes(self) -> dict[tuple[str, ...], bytes]:
        """Return the cache of encoded calls up to their arguments, by path."""
        prefixes = self._call_prefixes
        if prefixes is None:
            prefixes = {}
            object.__setattr__(self, "_call_prefixes", prefixes)
        return prefixes

    def _replace_call_prefixes(self, prefixes: dict[tuple[str, ...], bytes]) -> None:
        """Begin another cache of encoded calls, which may know more of them."""
        object.__setattr__(self, "_call_prefixes", prefixes)

    def _set_netref(self, netref: object) -> None:
        """Note the netref made around this: there is one for as long as it is in use."""
        object.__setattr__(self, "_netref", weakref.ref(netref))

    def __getattr__(self, name: str) -> RemotePath:
        if name[:1] == "_":
            raise _private(self, name)
        path = _new_path(RemotePath)  # as its __init__ would, without the call
        _set_base(path, self)
        _set_names(path, (name,))
        return path

    def __call__(self, /, *args: object, **kwargs: object) -> CallResult:
        """Call the object itself. Returns and raises as `RemotePath.__call__`."""
        return self._connection.call(self, (), args, kwargs)  # type: ignore[return-value]

    def callRemote(self, name: str, /, *args: object, **kwargs: object) -> CallResult:
        """Call a method by any name, as Perspective Broker's references do."""
        return self._connection.call(self, (name,), args, kwargs)  # type: ignore[return-value]

    def __await__(self) -> Generator[None, None, RemoteReference]:
        return self
        yield  # this makes it a generator

    def __getitem__(self, key: object) -> CallResult:
        return self._connection.call(self, ("__getitem__",), (key,), {})  # type: ignore[return-value]

    def __aiter__(self) -> AsyncIterator[Any]:
        if is_stream(self):
            return steps_of(self) or Items(self)
        return RemoteIterator(self._connection.call(self, ("__iter__",), (), {}))

    async def __anext__(self) -> Any:
        if is_stream(self):
            return await anext(steps_of(self) or begin_steps(self, Items(self)))
        alone = steps_of(self) or begin_steps(self, OneByOne())
        return await alone.next_of(self)

    async def __aenter__(self) -> Any:
        return await self._connection.call(self, ("__enter__",), (), {})

    async def __aexit__(self, kind: object, error: object, traceback: object) -> bool:
        told = told_exit(self._connection.features, kind, error)
        return bool(await self._connection.request(HANDLE_CTXEXIT, self, told))

    def _call(
        self,
        names: tuple[str, ...],
        args: tuple[object, ...] | None,
        kwargs: dict[str, object],
        deadline: float | None = None,
    ) -> Answer:
        return self._connection.call(self, names, args, kwargs, deadline)

    def __repr__(self) -> str:
        name, class_id, instance_id = self._pack
        if instance_id:
            return f"<RemoteReference to a {name} (id {instance_id})>"
        return f"<RemoteReference to the class {name} (id {class_id})>"


# A Deferred has it once it has fired, and is asked for it before.
_OF_FIRED = "result"


@refuses_operators(
    "and this is an answer that is still to come: await the call first, or copy the object that "
    "you ask for parts of ('await fetch(ref)')",
    but=("__getitem__",),
)
class CallResult(AwaitableDeferred[Any]):
    """
    The Deferred of a call.

    A Deferred's own names are this object's; any other name is a path on what the call will give,
    and ``callRemote`` reaches all names there.

    It cannot be iterated. A plain Deferred gives itself for ever, so that
    ``dict(reference)``, which calls ``reference.keys()``, would fill the memory.
    """

    def __getattr__(self, name: str) -> RemotePath:
        if name[:1] == "_" or name == _OF_FIRED:
            raise AttributeError(
                f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self
            )
        return RemotePath(self, (name,))

    def __getitem__(self, key: object) -> CallResult:
        return self._call(("__getitem__",), (key,), {})

    def callRemote(self, name: str, /, *args: object, **kwargs: object) -> CallResult:
        """Call a method of what this will give, by any name."""
        return self._call((name,), args, kwargs)

    def _call(
        self,
        names: tuple[str, ...],
        args: tuple[object, ...] | None,
        kwargs: dict[str, object],
        deadline: float | None = None,
    ) -> CallResult:
        raise NotImplementedError  # txremote.peer.promise


class LateReference:
    """
    A reference that is fetched when it is used: the root of a connection, which may be
    another one at each call. Paths grow from it as from a reference.
    """

    __slots__ = ("_fetch", "_name", "executor", "known")

    def __init__(
        self,
        fetch: Callable[[], Answer],
        executor: RequestContext,
        name: str,
        known: Callable[[], RemoteReference | None] = lambda: None,
    ) -> None:
        self._fetch = fetch
        self.executor = executor
        self._name = name
        #: Gives the reference that is there now, with nothing sent.
        self.known = known

    def _call(
        self,
        names: tuple[str, ...],
        args: tuple[object, ...] | None,
        kwargs: dict[str, object],
        deadline: float | None = None,
    ) -> Answer:
        seconds = self.executor.driver.seconds
        until = None if deadline is None else seconds() + deadline

        def go(reference: RemoteReference) -> RemoteReference | Answer:
            fetched._own = 0
            if args is None and not names:
                return reference
            left = None if until is None else max(0.0, until - seconds())
            return self._send(reference, names, args, kwargs, left)

        fetched: Any = self._fetch()
        if not fetched.called or fetched.paused:  # it is its caller's, though it is made later
            context = copy_context()
            fetched.addCallback(lambda reference: context.run(go, reference))
            # what it gives is that of another call (txremote.peer.promise)
            fetched._late, fetched._own = True, len(callbacks_of(fetched))
            return fetched  # type: ignore[no-any-return]
        return fetched.addCallback(go)  # type: ignore[no-any-return]

    def _send(
        self,
        reference: RemoteReference,
        names: tuple[str, ...],
        args: tuple[object, ...] | None,
        kwargs: dict[str, object],
        deadline: float | None,
    ) -> Answer:
        return reference._call(names, args, kwargs, deadline)

    def __repr__(self) -> str:
        return self._name

"""
`RemoteReference`: an object that lives at the peer.

The one rule: looking at a reference never touches the network. Reading a name
gives a path, a path can be extended, and nothing is sent until a path is
*called* (one request, one Deferred) or *awaited* (one request for the
attribute's value). ``repr``, ``==``, ``hash``, ``bool``, ``callable`` and
``isinstance`` are all local, so a reference can go anywhere an object can:
into a dict, through a Deferred's callbacks, into zope's adapters.

What needs the network and has no awaitable syntax is a function: `get_remote`,
`set_remote`, `del_remote`, `repr_remote`, `str_remote`, `dir_remote`,
`len_remote`.

Names that start with ``_`` raise AttributeError at once, so that ``__conform__``
and the like never travel; ``callRemote("name", ...)`` reaches any name, as in
Twisted's Perspective Broker.
"""

from __future__ import annotations

import weakref
from collections.abc import AsyncIterator, Callable, Generator
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, TypeVar

from twisted.internet.defer import Deferred

from txremote.refs.iteration import RemoteIterator
from txremote.wire.consts import (
    HANDLE_CALLATTR,
    HANDLE_CTXEXIT,
    HANDLE_DELATTR,
    HANDLE_DIR,
    HANDLE_GETATTR,
    HANDLE_REPR,
    HANDLE_SETATTR,
    HANDLE_STR,
    IdPack,
)

if TYPE_CHECKING:
    from txremote.peer.imports import Held

T = TypeVar("T")


class Connection(Protocol):
    """What a reference asks of the connection it came over."""

    executor: Any

    def request(self, handler: int, *args: Any) -> Deferred[Any]:
        """Send a request; the Deferred has its answer."""

    def call(
        self,
        reference: RemoteReference,
        names: tuple[str, ...],
        args: tuple[Any, ...] | None,
        kwargs: dict[str, Any],
    ) -> Deferred[Any]:
        """Call what a path leads to, or with ``args`` None read it."""

    def limited(self, seconds: float | None, function: Callable[..., T], *args: Any) -> T:
        """Call a function, and have the peer know how long what it asks may take."""


class Asked(Protocol):
    """What a path grows from: a reference, or one that is still to be fetched."""

    def _call(
        self, names: tuple[str, ...], args: tuple[Any, ...] | None, kwargs: dict[str, Any]
    ) -> Deferred[Any]: ...


def _private(owner: Any, name: str) -> AttributeError:
    return AttributeError(
        f"{type(owner).__name__} has no attribute {name!r}: names that start with _ "
        f"stay here; callRemote({name!r}, ...) or get_remote(ref, {name!r}) sends them",
        name=name,  # else Python looks for a name like it, among our own
    )


# Asking the peer for one of these would be a mistake nearly always.
_OF_DEFERREDS = frozenset(
    {"addCallback", "addCallbacks", "addErrback", "addBoth", "addTimeout", "chainDeferred"}
)


class _Remote:
    """What references and paths have in common."""

    __slots__ = ()

    def __getitem__(self, key: Any) -> Deferred[Any]:
        """Ask for ``self[key]``; gives a Deferred."""
        raise NotImplementedError

    def __iter__(self) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} is iterated with 'async for', not 'for'")

    def __contains__(self, item: Any) -> NoReturn:
        raise TypeError(
            "'in' cannot wait for an answer: await ref.callRemote('__contains__', item), "
            "or use 'async for'"
        )

    def __len__(self) -> NoReturn:
        raise TypeError("len() cannot wait for an answer: await len_remote(ref)")

    def __array__(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        # without it numpy would make an array of the reference itself
        raise TypeError(
            "numpy cannot wait for an answer: make the array in code that may block "
            "(@threaded, txremote.blocking), or await ref.tolist()"
        )

    def __bool__(self) -> bool:
        return True

    def __setitem__(self, key: Any, value: Any) -> NoReturn:
        raise TypeError(
            "an assignment cannot be awaited: await ref.callRemote('__setitem__', key, value)"
        )

    def __delitem__(self, key: Any) -> NoReturn:
        raise TypeError("del cannot be awaited: await ref.callRemote('__delitem__', key)")

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise AttributeError(
            f"an assignment cannot be awaited: await set_remote(ref, {name!r}, value)"
        )

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"del cannot be awaited: await del_remote(ref, {name!r})")

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} belongs to its connection: it is not pickled")


class RemotePath(_Remote):
    """
    A name at the peer, not fetched: what reading an attribute gives.

    Call it to call the method (a Deferred), await it to have the value, read
    on to go deeper. Nothing is sent before that. Reactor thread only.
    """

    __slots__ = ("_base", "_names")

    _base: Asked
    _names: tuple[str, ...]

    def __init__(self, base: Asked, names: tuple[str, ...]) -> None:
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

    def __call__(self, /, *args: Any, **kwargs: Any) -> Deferred[Any]:
        """
        Call what the path leads to.

        Returns:
            A Deferred of the result. It fails with the remote exception, or
            with `ConnectionLost` or `DeadReferenceError`.

        Raises:
            WrongThread: this is not the reactor's thread.
        """
        base = self._base
        if type(base) is RemoteReference:
            return base._connection.call(base, self._names, args, kwargs)
        return base._call(self._names, args, kwargs)

    def callRemote(self, name: str, /, *args: Any, **kwargs: Any) -> Deferred[Any]:
        """Call a method of what the path leads to, by any name."""
        return self._base._call((*self._names, name), args, kwargs)

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._read().__await__()

    def __getitem__(self, key: Any) -> Deferred[Any]:
        return self._base._call((*self._names, "__getitem__"), (key,), {})

    def __aiter__(self) -> AsyncIterator[Any]:
        return RemoteIterator(self._base._call((*self._names, "__iter__"), (), {}))

    def _read(self) -> Deferred[Any]:
        return self._base._call(self._names, None, {})

    def __repr__(self) -> str:
        return f"<RemotePath {'.'.join(self._names) or '(root)'} of {self._base!r}>"


_new_path = object.__new__
_set_base = RemotePath.__dict__["_base"].__set__
_set_names = RemotePath.__dict__["_names"].__set__


class RemoteReference(_Remote):
    """
    An object at the peer, held by reference.

    One and the same for as long as somebody here holds it: receiving the object
    again gives this reference again. When it dies, the peer is told.

    Awaiting it gives itself, so ``await`` may be written wherever a value might
    be a reference. Reactor thread only, but for `repr` and dropping it.
    """

    __slots__ = (
        "__weakref__",
        "_connection",
        "_heads",
        "_held",
        "_key",
        "_netref",
        "_pack",
    )

    _connection: Connection
    _key: bytes
    _pack: IdPack
    _heads: dict[tuple[str, ...], bytes] | None
    _held: Held
    _netref: weakref.ref[Any] | None

    def __init__(
        self,
        connection: Connection,
        key: bytes,
        pack: IdPack,
        hold: Callable[[RemoteReference, bytes, IdPack], Held],
    ) -> None:
        set_slot = object.__setattr__
        set_slot(self, "_connection", connection)
        set_slot(self, "_key", key)
        set_slot(self, "_pack", pack)
        set_slot(self, "_heads", None)
        set_slot(self, "_netref", None)
        set_slot(self, "_held", hold(self, key, pack))

    @property
    def _count(self) -> int:
        """How many times it was received."""
        return self._held.count

    def _start_heads(self) -> dict[tuple[str, ...], bytes]:
        """Return the encoded starts of the calls that were made through this."""
        heads = self._heads
        if heads is None:
            heads = {}
            object.__setattr__(self, "_heads", heads)
        return heads

    def _set_netref(self, netref: Any) -> Any:
        """
        Note the transparent proxy that was made around this, so that there is
        one as long as somebody has it.
        """
        object.__setattr__(self, "_netref", weakref.ref(netref))
        return netref

    def __getattr__(self, name: str) -> RemotePath:
        if name[:1] == "_":
            raise _private(self, name)
        path = _new_path(RemotePath)  # as its __init__ would, without the call
        _set_base(path, self)
        _set_names(path, (name,))
        return path

    def __call__(self, /, *args: Any, **kwargs: Any) -> Deferred[Any]:
        """Call the object itself. Returns and raises as `RemotePath.__call__`."""
        return self._connection.call(self, (), args, kwargs)

    def callRemote(self, name: str, /, *args: Any, **kwargs: Any) -> Deferred[Any]:
        """Call a method by any name, as Perspective Broker's references do."""
        return self._connection.call(self, (name,), args, kwargs)

    def __await__(self) -> Generator[Any, Any, RemoteReference]:
        return self
        yield  # this makes it a generator

    def __getitem__(self, key: Any) -> Deferred[Any]:
        return self._connection.call(self, ("__getitem__",), (key,), {})

    def __aiter__(self) -> AsyncIterator[Any]:
        return RemoteIterator(self._connection.call(self, ("__iter__",), (), {}))

    async def __aenter__(self) -> Any:
        return await self._connection.call(self, ("__enter__",), (), {})

    async def __aexit__(self, kind: Any, error: Any, traceback: Any) -> bool:
        # The class goes by reference, as from a stock client: the peer hands
        # its __exit__ an exception of that name.
        return bool(await self._connection.request(HANDLE_CTXEXIT, self, kind))

    def _call(
        self, names: tuple[str, ...], args: tuple[Any, ...] | None, kwargs: dict[str, Any]
    ) -> Deferred[Any]:
        return self._connection.call(self, names, args, kwargs)

    def __repr__(self) -> str:
        name, class_id, instance_id = self._pack
        if instance_id:
            return f"<RemoteReference to a {name} (id {instance_id})>"
        return f"<RemoteReference to the class {name} (id {class_id})>"


class LateReference:
    """
    A reference that has to be fetched before it can be asked anything.

    Paths grow from it as from a reference; each call fetches anew what it is
    about, so it suits the root of a connection that may be another by then.

    Args:
        fetch: Gives a Deferred of the reference.
        executor: The executor of the connection it will come over.
        name: For the repr.

    Attributes:
        executor: The same.
        limit: Seconds that whoever calls just now will wait for the answer, the
            fetching included; see `txremote.refs.helpers.timed`.
    """

    __slots__ = ("_fetch", "_name", "executor", "limit")

    def __init__(
        self, fetch: Callable[[], Deferred[RemoteReference]], executor: Any, name: str
    ) -> None:
        self._fetch = fetch
        self.executor = executor
        self.limit: float | None = None
        self._name = name

    def limited(self, seconds: float | None, function: Callable[[], T]) -> T:
        """
        Call a function, and have the peer know how long what it asks may take; as
        `Connection.limited`.
        """
        self.limit = seconds
        try:
            return function()
        finally:
            self.limit = None

    def _call(
        self, names: tuple[str, ...], args: tuple[Any, ...] | None, kwargs: dict[str, Any]
    ) -> Deferred[Any]:
        limit = self.limit
        until = None if limit is None else self.executor.driver.seconds() + limit

        def go(reference: RemoteReference) -> Any:
            if args is None and not names:
                return reference
            if until is None:
                return reference._call(names, args, kwargs)
            left = max(0.0, until - self.executor.driver.seconds())
            return reference._connection.limited(left, reference._call, names, args, kwargs)

        return self._fetch().addCallback(go)

    def __repr__(self) -> str:
        return self._name


def _ask(target: Any, local: Callable[..., Any], handler: int, *args: Any) -> Deferred[Any]:
    """
    Send a request about what a reference or a path stands for.

    A path may lead to a plain value; that is then asked here.
    """
    if isinstance(target, RemoteReference):
        return target._connection.request(handler, target, *args)
    if isinstance(target, RemotePath):

        def go(value: Any) -> Any:
            if isinstance(value, RemoteReference):
                return value._connection.request(handler, value, *args)
            return local(value, *args)

        return target._read().addCallback(go)
    raise TypeError(f"{type(target).__name__!r} is no remote reference")


def get_remote(target: Any, name: str) -> Deferred[Any]:
    """
    Read an attribute of a remote object.

    Args:
        target: A `RemoteReference` or a path.
        name: The attribute, of any spelling.

    Returns:
        A Deferred of its value; AttributeError if it is not exposed.

    Raises:
        TypeError: the target is neither.
        WrongThread: this is not the reactor's thread.
    """
    return _ask(target, getattr, HANDLE_GETATTR, name)


def set_remote(target: Any, name: str, value: Any) -> Deferred[None]:
    """Set an attribute; the peer must allow it (``allow_setattr``). See `get_remote`."""
    return _ask(target, setattr, HANDLE_SETATTR, name, value)


def del_remote(target: Any, name: str) -> Deferred[None]:
    """Delete an attribute; the peer must allow it (``allow_delattr``). See `get_remote`."""
    return _ask(target, delattr, HANDLE_DELATTR, name)


def repr_remote(target: Any) -> Deferred[str]:
    """Ask for ``repr()`` of a remote object. See `get_remote`."""
    return _ask(target, repr, HANDLE_REPR)


def str_remote(target: Any) -> Deferred[str]:
    """Ask for ``str()`` of a remote object. See `get_remote`."""
    return _ask(target, str, HANDLE_STR)


def dir_remote(target: Any) -> Deferred[tuple[str, ...]]:
    """Ask for the names of a remote object that are reachable. See `get_remote`."""
    return _ask(target, dir, HANDLE_DIR)


def _length(value: Any, *_args: Any) -> int:
    return len(value)


def len_remote(target: Any) -> Deferred[int]:
    """Ask for ``len()`` of a remote object. See `get_remote`."""
    return _ask(target, _length, HANDLE_CALLATTR, "__len__", (), ())


__all__ = [
    "LateReference",
    "RemotePath",
    "RemoteReference",
    "del_remote",
    "dir_remote",
    "get_remote",
    "len_remote",
    "repr_remote",
    "set_remote",
    "str_remote",
]

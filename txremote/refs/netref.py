"""
Netrefs: transparent proxies for code that may block.

Almost everything done with a netref is a request that waits for its answer, so netrefs are for
scripts and worker threads, and never enter a Deferred's callback chain:
``isinstance(x, Deferred)`` on one may go to the network. Inside a connection there are only
light `RemoteReference`s; a netref is made around one in the thread that will use it.

Each class of the peer's has a netref class (`txremote.refs.netref_class`) with its special
methods. Other methods are *bound proxies* made locally: reading ``x.append`` sends nothing,
calling it is one CALLATTR. That is so where the peer is known to list nothing but methods. A
stock RPyC lists all descriptors of a class, and an object of its may have a value where its
class has a method, so there a bound proxy is made only where the name is called at once
(`txremote.refs.callsite`). Any other name is read from the peer.

RPyC's own helpers look for ``____conn__``, ``____id_pack__`` and ``____refcount__``
(``rpyc.core.netref``), so they work on these.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Mapping
from inspect import Signature
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, TypeGuard

from zope.interface import implementedBy
from zope.interface.declarations import Declaration

from txremote.refs.asyncresult import AsyncResult
from txremote.refs.callsite import is_called_at_once
from txremote.refs.reference import RemoteReference, RequestSender
from txremote.refs.remote_signatures import RemoteFunction, parse_signature
from txremote.wire import consts
from txremote.wire.consts import IdPack
from txremote.wire.exit_errors import told_exit

_NOTHING_PROVIDED: Declaration = Declaration()
_implemented_by: Any = implementedBy  # which has no types

# Names that are neither asked for nor given.
NEVER = frozenset(
    # numpy would read memory of this process through the first two (rpyc issue 236). By the
    # others it hands its own functions and arrays to the owner, which has no use for them
    # (rpyc 6.0.2 lists them all); without, it takes the array.
    """
    __array_struct__ __array_interface__ __array_ufunc__ __array_function__ __array_wrap__
    __array_prepare__ __array_finalize__ __array_priority__
    """.split()
)


class NetrefConnection(Protocol):
    """The connection of a netref, as far as the netref uses it: a `BlockingView`."""

    protocol: RequestSender  # the connection itself

    @property
    def allow_pickle(self) -> bool:
        """Whether pickles of the peer's may be loaded here."""

    @property
    def _config(self) -> Mapping[str, Any]: ...

    def sync_request(self, handler: int, *args: object) -> Any:
        """Send a request by its number and wait for the answer."""

    def sync_call(
        self,
        reference: RemoteReference,
        names: tuple[str, ...],
        args: tuple[object, ...],
        kwargs: dict[str, object],
    ) -> Any:
        """Call a method and wait for the result."""

    def sync_call_raw(
        self,
        reference: RemoteReference,
        names: tuple[str, ...],
        args: tuple[object, ...],
        kwargs: dict[str, object],
    ) -> Any:
        """Call a method and wait for the result, which has references."""

    def async_call(
        self,
        reference: RemoteReference,
        names: tuple[str, ...],
        args: tuple[object, ...],
        kwargs: dict[str, object],
        timeout: float | None = None,
    ) -> AsyncResult:
        """Call a method and return the result to come."""

    def async_request(
        self, handler: int, *args: object, timeout: float | None = None
    ) -> AsyncResult:
        """Send a request by its number and return the result to come."""

    @staticmethod
    def from_netrefs(value: object) -> Any:
        """Return a value as it can travel: without netrefs."""

    def obtain(self, netref: object, unpickle: bool | None = None) -> Any:
        """Return a copy of a remote value."""


class NetrefMetaclass(type):
    """Gives netref classes a repr that says what they are."""

    def __repr__(cls) -> str:
        return f"<netref class '{cls.__name__}'>"


def _comparison(name: str) -> Callable[[BaseNetref, object], Any]:
    def compare(self: BaseNetref, other: object) -> Any:
        return self.____conn__.sync_request(consts.HANDLE_CMP, self, other, name)

    return compare


class BaseNetref(metaclass=NetrefMetaclass):
    """The base of all netrefs (``rpyc.BaseNetref``). Not to be made by hand."""

    __slots__ = ("____conn__", "____kind__", "____ref__", "__weakref__")

    if TYPE_CHECKING:  # the class is to have no annotations: they are read from the peer
        ____conn__: NetrefConnection
        ____kind__: object  # the `NetrefClass` that made it, which it keeps alive
        ____ref__: RemoteReference
        ____methods__: frozenset[str]
        ____exact__: bool
        ____signatures__: Mapping[str, str]
        ____local__: type | None

    ____late__ = False  # whether each call has to find its connection: then it has a ____path__

    @property
    def __annotations__(self) -> Any:  # type: ignore[override]
        return read(self, "__annotations__")

    def __init__(self, conn: NetrefConnection, reference: RemoteReference) -> None:
        object.__setattr__(self, "____conn__", conn)
        object.__setattr__(self, "____ref__", reference)

    @property
    def ____id_pack__(self) -> IdPack:
        return self.____ref__._pack

    @property
    def ____refcount__(self) -> int:
        return self.____ref__._held.count

    def __getattr__(self, name: str) -> Any:
        if name in NEVER:
            raise AttributeError(name, name=name)
        if (name in self.____methods__ or "exposed_" + name in self.____methods__) and (
            self.____exact__ or is_called_at_once(sys._getframe(1), name)
        ):
            return NetrefMethod(self, name)
        return read(self, name)

    def __setattr__(self, name: str, value: object) -> None:
        self.____conn__.sync_request(consts.HANDLE_SETATTR, self, name, value)

    def __delattr__(self, name: str) -> None:
        self.____conn__.sync_request(consts.HANDLE_DELATTR, self, name)

    def __dir__(self) -> list[str]:
        return list(self.____conn__.sync_request(consts.HANDLE_DIR, self))

    def __hash__(self) -> int:
        return int(self.____conn__.sync_request(consts.HANDLE_HASH, self))

    def __repr__(self) -> str:
        return str(self.____conn__.sync_request(consts.HANDLE_REPR, self))

    def __str__(self) -> str:
        return str(self.____conn__.sync_request(consts.HANDLE_STR, self))

    __eq__ = _comparison("__eq__")
    __ne__ = _comparison("__ne__")
    __lt__ = _comparison("__lt__")
    __gt__ = _comparison("__gt__")
    __le__ = _comparison("__le__")
    __ge__ = _comparison("__ge__")

    def __exit__(self, kind: object, error: object, traceback: object) -> Any:
        told = told_exit(self.____conn__.protocol.features, kind, error)
        return self.____conn__.sync_request(consts.HANDLE_CTXEXIT, self, told)

    @property
    def __providedBy__(self) -> Declaration:
        # zope.interface would take apart the peer's own answer for this name
        local = type(self).____local__
        if local is None:
            return _NOTHING_PROVIDED
        declared: Declaration = _implemented_by(
            type(local) if self.____id_pack__[2] == 0 else local
        )
        return declared

    def __copy__(self, memo: object = None) -> Any:
        return self.____conn__.obtain(self)

    __deepcopy__ = __copy__

    def __mro_entries__(self, bases: object) -> NoReturn:
        # before Python takes the netref class for a metaclass; RPyC's says "'str' object has
        # no attribute '____conn__'"
        raise TypeError(
            "a class cannot be derived from a remote object, for its instances would be here "
            "and their methods there: define the class at the object's owner (in classic mode "
            "by conn.execute(...)), or keep an instance and call it"
        )

    def __reduce_ex__(self, protocol: object) -> tuple[Callable[[bytes], object], tuple[bytes]]:
        check_pickle(self, "pickling a netref")
        return pickle.loads, (self.____conn__.sync_request(consts.HANDLE_PICKLE, self, protocol),)

    def __instancecheck__(self, other: object) -> bool:
        # rpyc 6.0.2 netref: isinstance(x, remote_class)
        if self.____id_pack__[2] != 0:
            raise TypeError(
                "isinstance() arg 2 must be a class, type, or tuple of classes and types"
            )
        if is_base_netref(other):
            pack = other.____id_pack__
            if pack[2] == 0:
                return False
            if other.____conn__ is not self.____conn__:
                return _is_instance_elsewhere(other, self)
            if pack[1] == self.____id_pack__[1]:
                return True
            return bool(self.____conn__.sync_request(consts.HANDLE_INSTANCECHECK, self, pack))
        local = type(self).____local__
        return local is not None and isinstance(other, local)


def _is_instance_elsewhere(other: BaseNetref, kind: BaseNetref) -> bool:
    """
    Tell whether an object of one connection is an instance of another connection's class, whose
    peer is not asked: the object's ids mean something else to it. Builtin types are the same
    everywhere. Beyond, ids can be compared where both connections lead to the same place.
    """
    pack, class_pack = other.____id_pack__, kind.____id_pack__
    builtin = type(kind).____local__ if class_pack[0].startswith("builtins.") else None
    if builtin is not None:
        return issubclass(type(other).____local__ or object, builtin)
    if pack[:2] != class_pack[:2]:
        return False
    where = other.____conn__._config["endpoints"]
    there = kind.____conn__._config["endpoints"]
    return where is not None and there is not None and where[1] == there[1] is not None


def is_base_netref(value: object) -> TypeGuard[BaseNetref]:
    """Tell whether something is a netref, and no method of one, without asking its peer."""
    return issubclass(type(value), BaseNetref)


def read(netref: BaseNetref, name: str) -> Any:
    """Read an attribute from the peer."""
    try:
        return netref.____conn__.sync_request(consts.HANDLE_GETATTR, netref, name)
    except AttributeError as error:
        # Python would note the netref on it, and ask that for all its names to print it
        if error.name is None:
            error.name = name
        raise


def check_pickle(netref: BaseNetref, what: str) -> None:
    """Raise TypeError unless pickles of the peer's may be loaded here."""
    if not netref.____conn__.allow_pickle:
        raise TypeError(
            f"{what} unpickles data of the peer's, which can run any code here: "
            "connect with config={'allow_pickle': True} if you trust it, or copy it first by "
            "txremote.blocking.fetch(netref)"
        )


class NetrefMethod:
    """A bound method of a netref. Calling it is one request; any other use fetches it first."""

    __slots__ = ("____fetched__", "____name__", "____owner__", "__weakref__")

    if TYPE_CHECKING:
        ____owner__: BaseNetref
        ____name__: str
        ____fetched__: Any

    def __init__(self, owner: BaseNetref, name: str) -> None:
        object.__setattr__(self, "____owner__", owner)
        object.__setattr__(self, "____name__", name)
        object.__setattr__(self, "____fetched__", None)

    def __call__(self, /, *args: object, **kwargs: object) -> Any:
        owner = self.____owner__
        return owner.____conn__.sync_call(owner.____ref__, (self.____name__,), args, kwargs)

    def ____fetch__(self) -> Any:
        """Return the remote method, which is kept: an id read from it has to stay good."""
        if self.____fetched__ is None:
            owner = self.____owner__
            found = owner.____conn__.sync_request(consts.HANDLE_GETATTR, owner, self.____name__)
            object.__setattr__(self, "____fetched__", found)
        return self.____fetched__

    @property
    def __doc__(self) -> Any:  # type: ignore[override]
        return self.____fetch__().__doc__

    @property
    def __annotations__(self) -> Any:  # type: ignore[override]
        return self.____fetch__().__annotations__

    def ____signature__(self) -> Signature | None:
        """Return the signature that the peer has told with the class, or None."""
        owner, name = self.____owner__, self.____name__
        told = owner.____signatures__
        return parse_signature(told.get(name) or told.get("exposed_" + name))

    @property
    def __signature__(self) -> Any:
        told = self.____signature__()
        return self.____fetch__().__signature__ if told is None else told

    @property
    def __func__(self) -> Any:
        fetched = self.____fetch__()
        try:
            return fetched.__func__
        except AttributeError:  # not for us to see: inspect.signature() asks for it
            told = self.____signature__()
            if told is None:
                raise
            return RemoteFunction(told, self.____name__, fetched.__doc__)

    @property  # type: ignore[misc]  # it is never set
    def __class__(self) -> Any:
        # inspect.ismethod() and its kin are isinstance(), which asks for this
        return self.____fetch__().__class__

    @property
    def ____conn__(self) -> NetrefConnection:
        return self.____owner__.____conn__

    @property
    def ____id_pack__(self) -> IdPack:
        pack: IdPack = self.____fetch__().____id_pack__
        return pack

    def __getattr__(self, name: str) -> Any:
        if name in NEVER or name.startswith("____"):
            raise AttributeError(name, name=name)
        try:
            return getattr(self.____fetch__(), name)
        except AttributeError:  # not for us to see: help() asks for these
            if name == "__self__":
                return self.____owner__
            if name not in ("__name__", "__qualname__"):
                raise
            return self.____name__

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self.____fetch__(), name, value)

    def __eq__(self, other: object) -> bool:
        return (
            type(other) is NetrefMethod
            and other.____owner__ is self.____owner__
            and other.____name__ == self.____name__
        )

    def __hash__(self) -> int:
        return hash((id(self.____owner__), self.____name__))

    def __repr__(self) -> str:
        return repr(self.____fetch__())

    def __dir__(self) -> list[str]:
        return dir(self.____fetch__())

    def __instancecheck__(self, other: object) -> bool:
        # rpyc 5.3.1 get_methods: it lists exposed classes among the methods
        return isinstance(other, self.____fetch__())

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a remote method cannot be pickled")


def is_netref(value: object) -> TypeGuard[BaseNetref | NetrefMethod]:
    """Tell whether something is a netref, without asking its peer."""
    kind = type(value)  # isinstance() may ask the peer
    return issubclass(kind, BaseNetref) or kind is NetrefMethod

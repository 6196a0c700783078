"""
`BlockingView`: a connection as code that may block sees it, RPyC's way.

It is what ``____conn__`` of a netref is, what ``on_connect`` of a threaded
service gets, and what `txremote.blocking.connect` returns. It turns arguments
into what can travel and answers into netrefs, in the caller's own thread, and
leaves two things to its subclasses: how a request gets into the connection's
context, and how a thread waits.
"""

from __future__ import annotations

import builtins
import collections
import threading
import weakref
from collections.abc import Callable, Iterable
from typing import Any, ParamSpec

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from txremote.errors import PingError
from txremote.refs import forks
from txremote.refs.asyncresult import AsyncResult
from txremote.refs.buffiter import buffiter
from txremote.refs.live_config import LiveConfig
from txremote.refs.netref import (
    BaseNetref,
    NetrefClass,
    NetrefMethod,
    builtin_methods,
    netref_class,
)
from txremote.refs.reference import RemoteReference
from txremote.wire.consts import (
    HANDLE_CALL,
    HANDLE_CALLATTR,
    HANDLE_INSPECT,
    HANDLE_PICKLE,
    HANDLE_PING,
    IdPack,
)

_log = Logger("txremote")

P = ParamSpec("P")

_PLAIN = frozenset({type(None), bool, int, float, complex, str, bytes})

#: A class's name and id, and whether it is the class itself.
_ClassKey = tuple[str, int, bool]

# A peer may make its classes anew for every call.
_MOST_CLASSES = 10_000


class BlockingView:
    """
    A connection for code that may block. Any thread may use it.

    Args:
        protocol: The `Connection`.

    Attributes:
        protocol: The `Connection`.
    """

    def __init__(self, protocol: Any) -> None:
        self.protocol = protocol
        self._classes: dict[_ClassKey, NetrefClass] = {}
        self._passing: weakref.WeakValueDictionary[_ClassKey, NetrefClass] = (
            weakref.WeakValueDictionary()
        )
        # now, for a socket that is closed tells its address no more
        self._config = LiveConfig(protocol, _endpoints(protocol))
        self._root: Any = None
        self._open = [True]  # popped by whoever closes it

    def _before_closed(self) -> None:
        """
        Call ``before_closed`` with the peer's root, once, in the thread that closes a
        connection which is still there (rpyc.core.protocol.Connection.close).
        """
        protocol = self.protocol
        hook = protocol.config.before_closed
        if hook is None or protocol.is_closing or protocol.home is not forks.here:
            return
        try:
            self._open.pop()
        except IndexError:  # another thread was first
            return
        try:
            hook(self.root)
        except (EOFError, TimeoutError):  # so is the connection
            return
        except Exception:  # it is the user's, and must not keep us open
            _log.failure("before_closed failed")

    # -- what a subclass knows

    def _wait_for_answer(
        self,
        timeout: float | None,
        send: Callable[P, Deferred[Any]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Any:
        """
        Send a request and wait for its answer, which has references.

        Raises:
            AsyncResultTimeout: there was none within ``timeout`` seconds.
            Exception: what the call raised.
        """
        raise NotImplementedError

    def _start(
        self, send: Callable[P, Deferred[Any]], *args: P.args, **kwargs: P.kwargs
    ) -> AsyncResult:
        """Send a request and return its result to come."""
        raise NotImplementedError

    # -- RPyC's names

    @property
    def closed(self) -> bool:
        """Whether the connection has ended."""
        return bool(self.protocol.closed)

    @property
    def root(self) -> Any:
        """The peer's service, as a netref. Asks for it the first time."""
        if self._root is None or self.protocol.closed:
            found = self.protocol._root
            if found is None:
                found = self._wait_for_answer(self._timeout, self.protocol.fetch_root)
            self._root = self.to_netrefs(found)
        return self._root

    @property
    def _timeout(self) -> float | None:
        timeout: float | None = self.protocol.config.sync_request_timeout
        return timeout

    def sync_request(self, handler: int, *args: Any) -> Any:
        """
        Send a request by its number and wait for the answer.

        Raises:
            AsyncResultTimeout: none came within ``sync_request_timeout``.
            EOFError: the connection has ended.
            Exception: what the peer raised.
        """
        sent = self.from_netrefs(args)
        return self.to_netrefs(
            self._wait_for_answer(self._timeout, self.protocol.outbound.ask, handler, sent)
        )

    def sync_request_raw(self, handler: int, args: tuple[Any, ...]) -> Any:
        """
        Send a request and wait for the answer, without a conversion of either: they have
        references, in the arguments those of other connections too. Raises as
        `sync_request`.
        """
        return self._wait_for_answer(self._timeout, self.protocol.outbound.ask, handler, args)

    def sync_call(
        self,
        reference: RemoteReference,
        names: tuple[str, ...],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        """Call a method and wait for the result. Raises as `sync_request`."""
        sent = self.from_netrefs(args)
        named = (
            {name: self.from_netrefs(value) for name, value in kwargs.items()} if kwargs else kwargs
        )
        protocol = self.protocol
        timeout = protocol.config.sync_request_timeout
        call = protocol.outbound.call
        result = self._wait_for_answer(timeout, call, reference, names, sent, named)
        return result if type(result) in _PLAIN else self.to_netrefs(result)

    def async_request(self, handler: int, *args: Any, timeout: float | None = None) -> AsyncResult:
        """
        Send a request by its number and return its `AsyncResult`.

        Args:
            handler: One of the ``HANDLE_`` numbers.
            *args: Its arguments.
            timeout: Seconds after which the result expires, or None; a txremote
                peer is told.
        """
        sent, protocol = self.from_netrefs(args), self.protocol
        result = self._start(protocol.limited, timeout, protocol.outbound.ask, handler, sent)
        if timeout is not None:
            result.set_expiry(timeout)
        return result

    def async_call(
        self,
        target: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        timeout: float | None = None,
    ) -> AsyncResult:
        """
        Call a netref or a netref's method and return the `AsyncResult`; see
        `async_request`.
        """
        pairs = tuple(kwargs.items())
        if type(target) is NetrefMethod:
            owner, name = target.____owner__, target.____name__
            return self.async_request(HANDLE_CALLATTR, owner, name, args, pairs, timeout=timeout)
        return self.async_request(HANDLE_CALL, target, args, pairs, timeout=timeout)

    def ping(self, data: Any = None, timeout: float = 3) -> None:
        """
        Ask the peer for a sign of life.

        Raises:
            AsyncResultTimeout: none came within ``timeout`` seconds.
            EOFError: the connection has ended.
            PingError: something else came back.
        """
        sent = "abcdefghijklmnopqrstuvwxyz" * 20 if data is None else data
        ask = self.protocol.outbound.ask
        if self._wait_for_answer(timeout, ask, HANDLE_PING, (sent,)) != sent:
            raise PingError("the answer to a ping is not what was sent")

    # -- netrefs

    def to_netrefs(self, value: Any) -> Any:
        """Return a received value as this side's code sees it: with netrefs."""
        kind = type(value)
        if kind in _PLAIN:
            return value
        if kind is RemoteReference:
            owner: Any = value._connection
            if owner is self.protocol:
                return self._netref(value)
            return owner.view.to_netrefs(value)
        if kind is tuple and value:
            return tuple([x if type(x) in _PLAIN else self.to_netrefs(x) for x in value])
        return value

    def _netref(self, reference: RemoteReference) -> BaseNetref:
        known = reference._netref
        found = known() if known is not None else None
        if found is not None:
            return found  # type: ignore[no-any-return]
        pack = reference._pack
        key = (pack[0], pack[1], pack[2] == 0)
        kind = self._classes.get(key) or self._passing.get(key)
        if kind is None:
            kind = self._ask_class(key, pack)
        made = kind.made(self, reference)
        with _naming:  # another thread may just be making one, too
            known = reference._netref
            found = known() if known is not None else None
            return found if found is not None else reference._set_netref(made)  # type: ignore[no-any-return]

    def _ask_class(self, key: _ClassKey, pack: IdPack) -> NetrefClass:
        """
        Make the netref class for a class of the peer's, and keep it for as long as the
        key means that class. A txremote never uses an id again. A stock RPyC's are
        addresses, which mean the class for as long as it has to keep one of its objects.
        """
        methods: Any = builtin_methods(pack)
        is_known = methods is not None
        if methods is None:
            ask = self.protocol.outbound.ask
            methods = self._wait_for_answer(self._timeout, ask, HANDLE_INSPECT, (pack,))
        lasts = is_known or self.protocol.is_txremote
        kind = NetrefClass(netref_class(pack, _pairs(methods), listed_are_methods=lasts))
        if not lasts:
            self._passing[key] = kind
            return kind
        if len(self._classes) >= _MOST_CLASSES:
            self._classes.clear()
        self._classes[key] = kind
        return kind

    def from_netrefs(self, value: Any) -> Any:
        """Return a value of this side's code as it can travel: without netrefs."""
        kind = type(value)
        if kind in _PLAIN:
            return value
        if kind is tuple:
            for item in value:
                if type(item) not in _PLAIN:
                    return tuple([self.from_netrefs(item) for item in value])
            return value
        if issubclass(kind, BaseNetref):
            return value.____ref__
        if kind is NetrefMethod:
            return self.from_netrefs(value.____fetch__())
        return value

    def obtain(self, netref: Any, unpickle: bool | None = None) -> Any:
        """
        Return a copy of a remote value.

        With ``unpickle`` it comes as a pickle, as with RPyC (rpyc 6.0.2
        ``utils.classic.obtain``). Else builtin containers and what they hold are
        copied item by item, and nothing that the peer sends is unpickled.

        Args:
            netref: The value.
            unpickle: Whether the peer may send a pickle; None for the connection's
                ``allow_pickle``, and a copy item by item where the peer sends none.

        Raises:
            TypeError: it is something else, and ``unpickle`` is off.
            ValueError: the peer sends no pickles.
        """
        if unpickle or (unpickle is None and self.protocol.config.allow_pickle):
            import pickle

            try:
                sent = self.sync_request(HANDLE_PICKLE, netref, pickle.HIGHEST_PROTOCOL)
            except ValueError as problem:
                if unpickle or not str(problem).startswith("pickling is disabled"):
                    raise
                return _copied(netref, {}, problem)
            return pickle.loads(sent)
        return _copied(netref, {})


# Reentrant, for garbage collection may run somebody's __del__ in the middle.
_naming = threading.RLock()


def _endpoints(protocol: Any) -> tuple[Any, Any] | None:
    transport = getattr(protocol, "transport", None)
    if transport is None:
        return None
    return _pair(transport.getHost()), _pair(transport.getPeer())


def _pair(address: Any) -> Any:
    host = getattr(address, "host", None)
    return (host, address.port) if host is not None else getattr(address, "name", None)


def _pairs(methods: Any) -> list[tuple[str, str | None]]:
    """Return what INSPECT gave, as far as it makes sense."""
    found = []
    if type(methods) is tuple:
        for pair in methods:
            if type(pair) is tuple and len(pair) == 2 and type(pair[0]) is str:
                found.append((pair[0], pair[1] if type(pair[1]) is str else None))
    return found


_SEQUENCES: dict[str, Callable[[list[Any]], Any]] = {
    "builtins.list": list,
    "builtins.set": set,
    "builtins.frozenset": frozenset,
    "builtins.tuple": tuple,
    "collections.deque": collections.deque,
    "builtins.dict_keys": list,
    "builtins.dict_values": list,
    "builtins.dict_items": list,
}
_MAPPINGS: dict[str, Callable[[list[Any]], Any]] = {
    "builtins.dict": dict,
    "builtins.frozendict": getattr(builtins, "frozendict", dict),  # CPython 3.15
    "builtins.mappingproxy": dict,
    "collections.OrderedDict": collections.OrderedDict,
    "collections.defaultdict": dict,
}


def _copied(value: Any, seen: dict[int, Any], refused: ValueError | None = None) -> Any:
    kind = type(value)
    if kind is tuple:
        return tuple([_copied(item, seen, refused) for item in value])
    if not issubclass(kind, BaseNetref):
        return value
    if id(value) in seen:
        raise TypeError("a container that holds itself cannot be copied by value")
    seen = {**seen, id(value): value}
    name = value.____id_pack__[0]
    if value.____id_pack__[2] != 0:
        if name in _SEQUENCES:
            return _SEQUENCES[name]([_copied(item, seen, refused) for item in buffiter(value)])
        if name in _MAPPINGS:
            return _MAPPINGS[name]([_copied(item, seen, refused) for item in _items(value)])
        if name == "builtins.bytearray":
            return bytearray(buffiter(value))
        if name == "builtins.range":
            return _range(value)
    if refused is not None:
        raise refused
    raise TypeError(
        f"a {name} cannot be copied by value without unpickling what the peer sends, which "
        "can run any code here: obtain(proxy, unpickle=True) if you trust it"
    )


def _items(mapping: Any) -> Iterable[Any]:
    """
    Return the items of a remote mapping. A stock RPyC that opens no public names lets us
    have iteration and ``[]`` all the same.
    """
    try:
        return buffiter(mapping.items())
    except AttributeError:
        return [(key, mapping[key]) for key in buffiter(mapping)]


def _range(numbers: Any) -> range:
    """
    Return a range that equals a remote one, by its first numbers where the peer tells no
    ``start``.
    """
    try:
        return range(numbers.start, numbers.stop, numbers.step)
    except AttributeError:
        count = len(numbers)
        first = numbers[0] if count else 0
        step = numbers[1] - first if count > 1 else 1
        return range(first, first + count * step, step)

"""
`BlockingView`: a connection as code that may block sees it, RPyC's way.

It is the ``____conn__`` of a netref, the argument of a threaded service's ``on_connect``, and
the result of `txremote.blocking.connect`. In the caller's own thread it turns netrefs in
arguments into references, which can travel, and references in answers into netrefs.
Subclasses know how a request gets into the connection's context and how a thread waits.
"""

from __future__ import annotations

import pickle
import threading
import weakref
from collections.abc import Callable
from typing import Any, ParamSpec

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress, ITransport

from txremote.errors import NotSendable
from txremote.levels import Logger
from txremote.refs import forks
from txremote.refs.asyncresult import AsyncResult
from txremote.refs.copying import copied
from txremote.refs.live_config import Endpoint, LiveConfig
from txremote.refs.netref import BaseNetref, NetrefMethod
from txremote.refs.netref_class import NetrefClass, builtin_methods, netref_class
from txremote.refs.ports import Answer
from txremote.refs.reading import IncomingStream
from txremote.refs.received import changed
from txremote.refs.reference import RemotePath, RemoteReference, RequestSender
from txremote.refs.remote_signatures import told_signatures
from txremote.refs.typed import TypedNetref
from txremote.refs.value_calls import described_methods
from txremote.wire.consts import (
    FEATURE_VALUES,
    HANDLE_DESCRIBE,
    HANDLE_FETCH,
    HANDLE_INSPECT,
    HANDLE_PICKLE,
    HANDLE_PING,
    IdPack,
)
from txremote.wire.messages import PING_DATA, check_echo
from txremote.wire.plain import ATOMS
from txremote.wire.values import ReceivedValue

_log = Logger("txremote")

P = ParamSpec("P")

#: A class's name and id, and whether it is the class itself.
_ClassKey = tuple[str, int, bool]

# A peer may make its classes anew for every call.
_MOST_CLASSES = 10_000


class BlockingView:
    """A connection for code that may block. Any thread may use it."""

    protocol: RequestSender  # RPyC's name for the connection without a view

    def __init__(self, protocol: RequestSender) -> None:
        self.protocol = protocol
        self._classes: dict[_ClassKey, NetrefClass] = {}
        self._passing: weakref.WeakValueDictionary[_ClassKey, NetrefClass] = (
            weakref.WeakValueDictionary()
        )
        # read now: a closed socket has no address any more
        self._config = LiveConfig(protocol, _endpoints(protocol.transport))
        self._root: object = None
        self._open = [True]  # the thread that pops it closes the connection

    def _before_closed(self) -> None:
        """Call ``before_closed`` once, in the thread that closes (rpyc's Connection.close)."""
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
        except (EOFError, TimeoutError):  # the connection was ending already
            return
        except Exception:  # it is the user's, and must not keep us open
            _log.failure("before_closed failed")

    # -- for subclasses

    def _wait_for_answer(
        self, timeout: float | None, send: Callable[P, Answer], *args: P.args, **kwargs: P.kwargs
    ) -> Any:
        """
        Send a request and wait for its answer, which has references. Raises
        AsyncResultTimeout after ``timeout`` seconds, and what the call raises.
        """
        raise NotImplementedError

    def _start(self, send: Callable[P, Answer], *args: P.args, **kwargs: P.kwargs) -> AsyncResult:
        """Send a request and return its result to come."""
        raise NotImplementedError

    def leave_stream(self, incoming: IncomingStream) -> None:
        """Leave a stream that a thread has read. Within the garbage collector, too."""
        incoming.leave()

    # -- RPyC's names

    @property
    def closed(self) -> bool:
        """Whether the connection has ended."""
        return self.protocol.closed

    @property
    def allow_pickle(self) -> bool:
        """Whether pickles of the peer's may be loaded here."""
        return self.protocol.config.allow_pickle

    @property
    def root(self) -> Any:
        """The peer's service, as a netref. Asks for it the first time."""
        if self._root is None or self.protocol.closed:
            found = self.protocol.root
            if type(found) is RemotePath:
                found = self._wait_for_answer(self._timeout, self.protocol.fetch_root)
            self._root = self.to_netrefs(found)
        return self._root

    @property
    def _timeout(self) -> float | None:
        return self.protocol.config.sync_request_timeout

    def sync_request(self, handler: int, *args: object) -> Any:
        """
        Send a request by its number and wait for the answer.

        Raises:
            AsyncResultTimeout: none came within ``sync_request_timeout``.
            EOFError: the connection has ended.
            Exception: the exception that the peer raised.
        """
        sent = self.from_netrefs(args)
        return self.to_netrefs(
            self._wait_for_answer(
                self._timeout, self.protocol.outbound.request_received, handler, sent
            )
        )

    def sync_request_raw(self, handler: int, args: tuple[object, ...]) -> Any:
        """`sync_request` without conversions: arguments and answer have references."""
        request = self.protocol.outbound.request_received
        return self._wait_for_answer(self._timeout, request, handler, args)

    def sync_call(
        self,
        reference: RemoteReference,
        names: tuple[str, ...],
        args: tuple[object, ...],
        kwargs: dict[str, object],
    ) -> Any:
        """Call a method and wait for the result. Raises as `sync_request`."""
        sent = self.from_netrefs(args)
        named = (
            {name: self.from_netrefs(value) for name, value in kwargs.items()} if kwargs else kwargs
        )
        protocol = self.protocol
        timeout = protocol.config.sync_request_timeout
        call = protocol.outbound.call_received
        result = self._wait_for_answer(timeout, call, reference, names, sent, named)
        return result if type(result) in ATOMS else self.to_netrefs(result)

    def sync_call_raw(
        self,
        reference: RemoteReference,
        names: tuple[str, ...],
        args: tuple[object, ...],
        kwargs: dict[str, object],
    ) -> Any:
        """`sync_call` whose result has references, and is a value as it was unboxed."""
        sent = self.from_netrefs(args)
        named = {name: self.from_netrefs(value) for name, value in kwargs.items()}
        call = self.protocol.outbound.call_received
        return self._wait_for_answer(self._timeout, call, reference, names, sent, named)

    def async_call(
        self,
        reference: RemoteReference,
        names: tuple[str, ...],
        args: tuple[object, ...],
        kwargs: dict[str, object],
        timeout: float | None = None,
    ) -> AsyncResult:
        """Call a method and return its `AsyncResult`; ``timeout`` as for `async_request`."""
        sent = self.from_netrefs(args)
        named = {name: self.from_netrefs(value) for name, value in kwargs.items()}
        call = self.protocol.outbound.call_received
        result = self._start(call, reference, names, sent, named, timeout)
        if timeout is not None:
            result.set_expiry(timeout)
        return result

    def async_request(
        self, handler: int, *args: object, timeout: float | None = None
    ) -> AsyncResult:
        """
        Send a request by its number and return its `AsyncResult`.

        Args:
            handler: One of the ``HANDLE_`` numbers.
            *args: Its arguments.
            timeout: Seconds after which the result expires, or None; a txremote
                peer is told.
        """
        request = self.protocol.outbound.request_received
        result = self._start(request, handler, self.from_netrefs(args), timeout)
        if timeout is not None:
            result.set_expiry(timeout)
        return result

    def ping(self, data: object = None, timeout: float = 3) -> None:
        """
        Send the peer a ping, and wait for its answer.

        Raises:
            AsyncResultTimeout: none came within ``timeout`` seconds.
            EOFError: the connection has ended.
            PingError: the answer is another than was sent.
        """
        sent = PING_DATA if data is None else data
        request = self.protocol.outbound.request_with_default_timeout
        check_echo(sent, self._wait_for_answer(timeout, request, HANDLE_PING, (sent,)))

    def ask(self, send: Callable[P, Answer], *args: P.args, **kwargs: P.kwargs) -> Any:
        """
        Call a function that sends requests, in the connection's context; return what comes of
        them, with netrefs. Raises as `sync_request`.
        """
        return self.to_netrefs(self._wait_for_answer(self._timeout, send, *args, **kwargs))

    # -- netrefs

    def to_netrefs(self, value: Any) -> Any:
        """Return a received value with netrefs, as this side's code sees it."""
        kind = type(value)
        if kind in ATOMS:
            return value
        if kind is RemoteReference:
            owner = value._connection
            if owner is self.protocol:
                return self._netref(value)
            return owner.view.to_netrefs(value)
        if kind is tuple and value:
            return tuple([x if type(x) in ATOMS else self.to_netrefs(x) for x in value])
        if kind is ReceivedValue:
            return changed(value, self.to_netrefs)
        return value

    def _netref(self, reference: RemoteReference) -> BaseNetref:
        known = reference._netref
        found: BaseNetref | None = known() if known is not None else None
        if found is not None:
            return found
        pack = reference._pack
        key = (pack[0], pack[1], pack[2] == 0)
        kind = self._classes.get(key) or self._passing.get(key)
        if kind is None:
            kind = self._make_class(key, pack)
        made = kind.make(self, reference)
        with _naming:  # another thread may just be making one, too
            known = reference._netref
            found = known() if known is not None else None
            if found is None:
                reference._set_netref(found := made)
            return found

    def _make_class(self, key: _ClassKey, pack: IdPack) -> NetrefClass:
        """
        Make the netref class of a class of the peer's, and keep it for as long as the key means
        that class: for good with a txremote, which never uses an id again. A stock RPyC's ids
        are addresses, good for as long as RPyC has to keep one of the class's objects.
        """
        methods: object = builtin_methods(pack)
        is_known = methods is not None
        describes = not is_known and FEATURE_VALUES in self.protocol.features
        if methods is None:
            asked = HANDLE_DESCRIBE if describes else HANDLE_INSPECT
            methods = self.sync_request_raw(asked, (pack,))
        lasts = is_known or self.protocol.is_txremote
        kind = NetrefClass(
            netref_class(
                pack,
                _pairs(methods),
                listed_are_methods=lasts,
                signatures=told_signatures(methods) if describes else {},
            ),
            described_methods(methods) if describes else {},
        )
        if not lasts:
            self._passing[key] = kind
            return kind
        if len(self._classes) >= _MOST_CLASSES:
            self._classes.clear()
        self._classes[key] = kind
        return kind

    @staticmethod
    def from_netrefs(value: Any) -> Any:
        """Return a value of this side's code without netrefs, as it can travel."""
        kind = type(value)
        if kind in ATOMS:
            return value
        if kind is tuple:
            for item in value:
                if type(item) not in ATOMS:
                    return tuple([BlockingView.from_netrefs(item) for item in value])
            return value
        if issubclass(kind, BaseNetref):
            return value.____ref__
        if kind is TypedNetref:
            return value._target.____ref__
        if kind is NetrefMethod:
            return BlockingView.from_netrefs(value.____fetch__())
        return value

    def obtain(self, netref: object, unpickle: bool | None = None) -> Any:
        """
        Return a copy of a remote value.

        With ``unpickle`` the peer sends a pickle, as with RPyC (rpyc 6.0.2
        ``utils.classic.obtain``). Else a txremote sends a copy of a container or another value, in
        which a `Record` stands for an object of a class; from a stock RPyC containers are copied
        item by item. Nothing that the peer sends is unpickled.

        Args:
            netref: The value.
            unpickle: Whether the peer may send a pickle; None for the connection's
                ``allow_pickle``, and a copy item by item where the peer sends none.

        Raises:
            TypeError: it is something else, and ``unpickle`` is off.
            ValueError: the peer sends no pickles.
        """
        if unpickle or (unpickle is None and self.allow_pickle):
            try:
                newest = pickle.HIGHEST_PROTOCOL
                return pickle.loads(self.sync_request(HANDLE_PICKLE, netref, newest))
            except ValueError as problem:
                if unpickle or not str(problem).startswith("pickling is disabled"):
                    raise
                refusal = problem
                return self._copied(netref, lambda _class_name: refusal)
        return self._copied(netref)

    def _copied(self, netref: object, refused: Callable[[str], Exception] | None = None) -> Any:
        protocol = self.protocol
        value = self.from_netrefs(netref)
        if FEATURE_VALUES in protocol.features:
            request = protocol.outbound.request_received
            try:
                received = self._wait_for_answer(self._timeout, request, HANDLE_FETCH, (value,))
            except (TypeError, AttributeError, NotSendable):
                pass  # item by item it may go, and if not it is told why
            else:
                if type(received) is not ReceivedValue:
                    return received
                if not received.mixed:  # else not all of it can be copied
                    return received.value
        direct = not protocol.is_txremote
        limits = protocol.config.limits
        return self.to_netrefs(
            self._wait_for_answer(self._timeout, copied, value, limits, direct, refused)
        )


# Reentrant: garbage collection may run a __del__ in the middle.
_naming = threading.RLock()


def _endpoints(transport: ITransport | None) -> tuple[Endpoint, Endpoint] | None:
    if transport is None:
        return None
    try:
        return _endpoint(transport.getHost()), _endpoint(transport.getPeer())
    except (AttributeError, OSError):  # its socket is closed, and this is the first use of the view
        return None


def _endpoint(address: IAddress) -> Endpoint:
    if isinstance(address, IPv4Address | IPv6Address):
        return address.host, address.port
    return address.name if isinstance(address, UNIXAddress) else None


def _pairs(methods: object) -> list[tuple[str, str | None]]:
    """Return the pairs of name and docstring in an answer to INSPECT or DESCRIBE, no more."""
    return [
        (pair[0], pair[1] if type(pair[1]) is str else None)
        for pair in (methods if isinstance(methods, tuple) else ())
        if type(pair) is tuple and len(pair) >= 2 and type(pair[0]) is str
    ]

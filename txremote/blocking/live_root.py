"""
`LiveRoot`: the root of a client that reconnects, as a netref.

Its reference is looked up at each use, and belongs to whichever connection is live then: a
blocking call waits there for a connection, in the thread that calls. The reference knows its own
connection, so a call can never reach another one than the one that it was looked up on.

``async_`` and ``timed`` do not wait: their calls begin when there is a connection (`LateCall`).
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from twisted.internet.defer import fail, succeed

from txremote.blocking.connection import BlockingConnection
from txremote.refs.asyncresult import AsyncResult
from txremote.refs.blocking_view import BlockingView
from txremote.refs.callsite import is_called_at_once
from txremote.refs.driver import Driver, Pending
from txremote.refs.netref import NEVER, BaseNetref, NetrefMethod, is_base_netref, read
from txremote.refs.ports import Answer
from txremote.refs.reference import LateReference, RemotePath, RemoteReference
from txremote.refs.threadguard import refuse_in_reactor

# what a stock peer's method is when it was read, not called
_METHODS = ("builtins.method", "builtins.function")


class Client(Protocol):
    """The part of a `ReconnectingClient` that its root uses."""

    def connected(self) -> BlockingConnection:
        """Return the live connection; wait for it."""

    def latest(self) -> BlockingConnection:
        """Return the last connection, live or not; wait for the first."""

    def begin(self, call: LateCall) -> None:
        """Have a call sent as soon as there is a connection, or fail if none comes in time."""

    def wait_to_begin(self, call: LateCall, timeout: float | None) -> None:
        """Wait until it is decided what becomes of a call, for some seconds at most."""

    def seconds(self) -> float:
        """Return the monotonic time."""


class LiveRoot(BaseNetref):
    """The root of whichever connection of a client is live."""

    __slots__ = ("____client__",)

    ____late__ = True
    ____local__ = None

    def __init__(self, client: Client) -> None:
        object.__setattr__(self, "____client__", client)

    @property
    def ____conn__(self) -> LiveView:  # type: ignore[override]
        return LiveView(self)

    @property
    def ____ref__(self) -> RemoteReference:  # type: ignore[override]
        reference: RemoteReference = self.____now__().____ref__
        return reference

    @property
    def ____methods__(self) -> frozenset[str]:  # type: ignore[override]
        return self.____known__().____methods__

    @property
    def ____exact__(self) -> bool:  # type: ignore[override]
        return self.____known__().____exact__

    @property
    def ____signatures__(self) -> Mapping[str, str]:  # type: ignore[override]
        return self.____known__().____signatures__

    def ____now__(self) -> BaseNetref:
        """Return the live connection's root; wait for a connection if there is none."""
        root: BaseNetref = self.____client__.connected().root
        return root

    def ____known__(self) -> BaseNetref:
        """Return the last root, which says what names it has, also while there is none."""
        root: BaseNetref = self.____client__.latest().root
        return root

    def ____path__(self, names: tuple[str, ...]) -> RemotePath:
        return RemotePath(LateRoot(self.____client__), names)

    def __getattr__(self, name: str) -> Any:
        if name in NEVER:
            raise AttributeError(name, name=name)
        root = self.____known__()
        if (name in root.____methods__ or "exposed_" + name in root.____methods__) and (
            root.____exact__ or is_called_at_once(sys._getframe(1), name)
        ):
            return NetrefMethod(self, name)
        found = read(self, name)
        # a method that is kept is looked up at each call, too
        if is_base_netref(found) and found.____id_pack__[0] in _METHODS:
            return NetrefMethod(self, name)
        return found


class LiveView:
    """The connection of a `LiveRoot`, as netrefs use one: see `NetrefConnection`."""

    __slots__ = ("_root",)

    def __init__(self, root: LiveRoot) -> None:
        self._root = root

    from_netrefs = staticmethod(BlockingView.from_netrefs)

    def __getattr__(self, name: str) -> Any:  # what no request depends on, such as its config
        return getattr(self._root.____now__().____conn__, name)

    def sync_request(self, handler: int, *args: object) -> Any:
        """Send a request that the root is an argument of, to its connection."""
        now = self._root.____now__()
        sent = tuple([now if arg is self._root else arg for arg in args])
        return now.____conn__.sync_request(handler, *sent)

    def sync_call(self, reference: RemoteReference, *call: Any) -> Any:
        """Call a method on the connection of a reference that was looked up."""
        return _view_of(reference).sync_call(reference, *call)

    def sync_call_raw(self, reference: RemoteReference, *call: Any) -> Any:
        """Do as `sync_call`, for a result with references."""
        return _view_of(reference).sync_call_raw(reference, *call)

    def async_call(self, reference: RemoteReference, *call: Any) -> AsyncResult:
        """Start a call on the connection of a reference that was looked up."""
        return _view_of(reference).async_call(reference, *call)

    def obtain(self, netref: object, unpickle: bool | None = None) -> Any:
        """Return a copy of the root."""
        now = self._root.____now__()
        return now.____conn__.obtain(now if netref is self._root else netref, unpickle)


def _view_of(reference: RemoteReference) -> BlockingView:
    view: BlockingView = reference._connection.view
    return view


class LateRoot(LateReference):
    """The root for one call of ``async_`` or ``timed``, which needs no connection to begin."""

    __slots__ = ()

    def __init__(self, client: Client) -> None:
        call = LateCall(client)
        super().__init__(call.root, call, "the root of a client that reconnects")

    def _send(
        self,
        reference: RemoteReference,
        names: tuple[str, ...],
        args: tuple[object, ...] | None,
        kwargs: dict[str, object],
        deadline: float | None,
    ) -> Answer:
        call = _view_of(reference).protocol.outbound.call_received
        return call(reference, names, args, kwargs, deadline)


class LateCall:
    """
    One such call, as the `RequestContext` and the `Driver` of its result: those of its
    connection from the moment that it has one.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._lock = threading.Lock()  # for the four
        self._send: Callable[[], object] | None = None
        self._taken = False  # whether a thread begins it
        self._begun = False
        self._cancelled = False
        self._connection: BlockingConnection | None = None
        self._error: Exception | None = None
        self.guard = self

    # -- how it begins

    def decide(self, outcome: BlockingConnection | Exception) -> None:
        """Note on which connection it is to be sent, or why it never is; `begin` then does it."""
        if isinstance(outcome, Exception):
            self._error = outcome
        else:
            self._connection = outcome

    def begin(self) -> None:
        """Do as was decided, unless it was cancelled, or another thread does."""
        with self._lock:
            taken, self._taken = self._taken, True
        if taken:
            return
        if self._connection is not None:
            self._connection._executor.submit(self._begin)
        else:
            self._begin()

    def _begin(self) -> None:
        with self._lock:
            self._begun = True
        if not self._cancelled:
            assert self._send is not None
            self._send()

    def root(self) -> Answer:
        """Return a Deferred of the root, in the connection's context."""
        if self._error is not None:
            return fail(self._error)
        assert self._connection is not None
        return succeed(self._connection.root.____ref__)

    def check(self) -> None:
        """Allow any thread: `submit` knows where to call."""

    def submit(self, function: Callable[[], object]) -> None:
        """Take the function that sends the call; or one that cancels it, and call that."""
        with self._lock:
            sends = self._send is None
            if sends:
                self._send = function
            elif not self._begun:
                self._cancelled = True
                return
        if sends:
            self._client.begin(self)
        elif self._connection is not None:
            self._connection._executor.submit(function)

    # -- how its result is waited for

    @property
    def driver(self) -> Driver:
        """Itself."""
        return self

    @property
    def _driver(self) -> Driver | None:
        return None if self._connection is None else self._connection._executor.driver

    def wait(self, result: Pending, timeout: float | None) -> None:
        """Wait for the connection, and then for the answer."""
        refuse_in_reactor()
        until = None if timeout is None else self.seconds() + timeout
        self._client.wait_to_begin(self, timeout)
        if self._connection is None and self._error is None:
            return  # the time is over
        self.begin()  # those who decided may be busy with other calls, and with their callbacks
        left = None if until is None else max(0.0, until - self.seconds())
        if self._driver is not None:
            self._driver.wait(result, left)
        else:  # another thread is just ending it
            ended = threading.Event()
            result.when_ended(ended.set)
            ended.wait(left)

    def expect(self, result: Pending) -> None:
        """Have a thread wait."""
        threading.Thread(
            target=self.wait, args=(result, None), name="txremote awaited result", daemon=True
        ).start()

    def serve_arrived(self) -> None:
        """Serve what has come."""
        self._client.wait_to_begin(self, 0)
        if self._driver is not None:
            self._driver.serve_arrived()

    def deliver(self, function: Callable[..., None], *args: Any) -> None:
        """Call a function where the connection's callbacks run; here, if it has none."""
        if self._driver is not None:
            self._driver.deliver(function, *args)
        else:
            function(*args)

    def convert(self, value: Any) -> Any:
        """Return a received value with netrefs."""
        return value if self._driver is None else self._driver.convert(value)

    def seconds(self) -> float:
        """Return the monotonic time."""
        return self._client.seconds()

    def call_later(self, seconds: float, function: Callable[[], None]) -> Callable[[], None] | None:
        """Arrange for a call by a thread that waits on the connection; by none, without one."""
        return None if self._driver is None else self._driver.call_later(seconds, function)

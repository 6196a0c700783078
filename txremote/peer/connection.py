"""
`Connection`: both directions of RPyC's protocol over one Twisted transport.

It joins the parts of this room and keeps the order between them:

* bytes become payloads (`FrameReader`), payloads messages (`MessageReader`), a
  message either a request of the peer's (`InboundCalls`) or the answer to one of
  ours (`OutboundCalls`);
* answers and requests go out through one `Outbox`;
* what time does to it all is the `Vigil`'s.

The accepting side learns the dialect from the first frame and says nothing
before; the connecting side asks for the root and introduces itself with HELLO
right behind. Whoever answers that with a KeyError is a stock RPyC, and is sent
nothing that RPyC does not know.

The one rule: what a peer sends can end its call or its connection, and raises
nothing but `RemoteProtocolError` in here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from txremote.errors import ConnectionLost, RemoteProtocolError, ServerStopping
from txremote.peer.access import AccessPolicy
from txremote.peer.calls import Clock, answered
from txremote.peer.config import DEFAULT_CONFIG, ConnectionConfig
from txremote.peer.context import CurrentCall, _current
from txremote.peer.events import events_of
from txremote.peer.exports import ClassNumbers, ExportTable
from txremote.peer.imports import Held, ImportTable, ReleaseSweeper
from txremote.peer.inbound import InboundCalls
from txremote.peer.outbound import OutboundCalls
from txremote.peer.outbox import Outbox, Writing
from txremote.peer.reading import MessageReader
from txremote.peer.references import ReferenceTables
from txremote.peer.runner import Runner
from txremote.peer.vigil import Vigil
from txremote.refs.reference import LateReference, RemotePath, RemoteReference
from txremote.wire.consts import (
    FEATURE_KEEPALIVE,
    FEATURE_STOPPING,
    FEATURES,
    HANDLE_CLOSE,
    HANDLE_GETROOT,
    HANDLE_HELLO,
    HANDLE_PING,
    HANDLE_STOPPING,
    HELLO_VERSION,
    IdPack,
)
from txremote.wire.framing import FrameReader, Oversize
from txremote.wire.messages import Dialect

_log = Logger("txremote")
_events = events_of("connection")

T = TypeVar("T")

_KNOWN = frozenset((*FEATURES, FEATURE_KEEPALIVE))

#: Seconds that `Connection.close` gives the peer to take what is still unsent.
CLOSE_TIMEOUT = 5.0


def is_local(address: Any) -> bool:
    """
    Tell whether an address is on this machine.
    """
    if isinstance(address, IPv4Address):
        return address.host.startswith("127.")
    if isinstance(address, IPv6Address):
        return address.host == "::1" or address.host.startswith("::ffff:127.")
    return isinstance(address, UNIXAddress)


@implementer(IHandshakeListener)
class Connection(Protocol):
    """
    One end of a connection. Made by `listen`, `connect` and `connected_pair`.

    All methods are for the connection's own thread, the reactor's where there
    is one.

    Args:
        service: What this side offers; its ``on_connect`` is told.
        runner: Where requests run and results fire.
        config: The switches.
        policy: The gate, where it is shared between connections.
        classes: The class ids, where they are.
        dialect: Connecting only: what to speak. None on the accepting side.
        clock: For time-outs; None for a connection without any.
        sweeper: Gives dropped references back on a quiet connection.
        prepare: Called with the transport once it is connected; tells what
            its kind needs in writing to it.
        ended: Called with the connection when it has ended.

    Attributes:
        service: What this side offers.
        config: The switches.
        runner: Where requests run and results fire.
        avatar: The root object of whom the peer has logged in as, or None.
        user: That user's name, or None.
        features: The extensions that the peer has said it knows.
        knows_peer: Whether the peer is what this side has dialled, or has said
            that it is a txremote.
        closed: Whether the connection has ended.
        opened: When it was made, on its clock.
        peer_stopping: Whether the peer has said that it will stop: it begins
            nothing new.
    """

    # a listener may have very many of these
    __slots__ = (
        "_acknowledge",
        "_calls",
        "_clock",
        "_close_timer",
        "_connecting",
        "_ended",
        "_face",
        "_farewell",
        "_greeted",
        "_inbound",
        "_lost_why",
        "_outbound",
        "_outbox",
        "_prepare",
        "_reader",
        "_reading",
        "_root",
        "_tables",
        "_vigil",
        "_watchers",
        "_when_ended",
        "avatar",
        "closed",
        "config",
        "features",
        "knows_peer",
        "opened",
        "peer_stopping",
        "runner",
        "service",
        "user",
    )

    def __init__(
        self,
        service: Any,
        *,
        runner: Runner,
        config: ConnectionConfig = DEFAULT_CONFIG,
        policy: AccessPolicy | None = None,
        classes: ClassNumbers | None = None,
        dialect: Dialect | None = None,
        clock: Clock | None = None,
        sweeper: ReleaseSweeper | None = None,
        prepare: Callable[[Any], Writing] = lambda _transport: Writing(),
        ended: Callable[[Connection], object] | None = None,
    ) -> None:
        self.service = service
        self.config = config
        self.runner = runner
        self.avatar: Any = None
        self.user: str | None = None
        self.features: frozenset[str] = frozenset()
        self.closed = False
        self.opened = 0.0
        self.peer_stopping = False
        self.knows_peer = self._connecting = dialect is not None
        self._clock = clock
        self._reader = FrameReader(config.limits)
        self._outbox = Outbox(
            dialect, config.max_unsent, config.pause_unsent, self._pressed, self.give_up
        )
        self._prepare = prepare
        self._acknowledge: Callable[[], object] | None = None
        self._when_ended = ended
        imports = ImportTable(
            self._make_reference, self.flush_released, sweeper, config.max_imports
        )
        policy = policy or AccessPolicy(config)
        exports = ExportTable(config.max_exports, classes, policy.check_handed_out)
        self._tables = ReferenceTables(self, exports, imports)
        self._inbound = InboundCalls(
            self,
            root=service,
            config=config,
            policy=policy,
            tables=self._tables,
            outbox=self._outbox,
            runner=runner,
            clock=clock,
            hello_received=self._hello_received,
            peer_stops=self._peer_stops,
            needed=self._needs_peer,
        )
        self._outbound = OutboundCalls(
            self,
            config=config,
            tables=self._tables,
            outbox=self._outbox,
            runner=runner,
            clock=clock,
        )
        self._calls = self._outbound.pending
        self._reading = MessageReader(
            self,
            config=config,
            tables=self._tables,
            outbox=self._outbox,
            calls=self._calls,
            inbound=self._inbound,
            runner=runner,
        )
        self._vigil: Vigil | None = None
        self._face: Any = None
        self._root: RemoteReference | None = None
        self._greeted = False  # whether the service knows of the connection
        self._farewell: str | None = None  # why this side hung up, if it did
        self._lost_why = "the connection was lost"
        self._close_timer: Any = None
        self._watchers: list[Deferred[BaseException]] = []
        self._ended: BaseException | None = None

    def __repr__(self) -> str:
        transport: Any = self.transport
        peer = transport.getPeer() if transport is not None else "nobody"
        speaks = "txremote" if self.features else "RPyC"
        state = "closed" if self.closed else "open"
        return f"<Connection to {peer} ({speaks}, {state})>"

    # -- Twisted's side

    def connectionMade(self) -> None:
        """
        Called by the transport. Starts the conversation.
        """
        self.opened = self.seconds()
        transport: Any = self.transport
        address = transport.getPeer()
        local = is_local(address)
        if self.config.include_local_traceback is None:
            self._inbound.show_tracebacks = local
        self._outbox.attach(transport)
        self._outbox.compress = (
            not local if self.config.compress == "auto" else bool(self.config.compress)
        )
        writing = self._prepare(transport)
        self._outbox.separate, self._outbox.now = writing.separate, writing.now
        if self._connecting:
            self._acknowledge = writing.acknowledge
        if self._clock is not None:
            self._vigil = Vigil(self, self._clock, self.config, self._reader)
            self._inbound.vigil = self._vigil
            if writing.separate is not None and not self._connecting:
                self._vigil.expect_handshake()
            if getattr(self.service, "expects_login", False):
                self._vigil.expect_login()
        if writing.separate is None:
            self._greet()

    def _greet(self) -> None:
        self._greeted = True
        self.runner.hook(self, self.service.on_connect)

    def handshakeCompleted(self) -> None:
        """
        Called by TLS (`twisted.internet.interfaces.IHandshakeListener`): now it is
        known who the peer is, and the service is told of the connection.
        """
        if self._vigil is not None:
            self._vigil.handshake_done()
        self._greet()

    def dataReceived(self, data: bytes) -> None:
        """
        Called by the transport with what was read.
        """
        outbox = self._outbox
        needed = outbox.pressing  # then it is read since a call of ours waits for it
        outbox.cork()
        whole = False
        try:
            for payload in self._reader.feed(data):
                if self._ended is not None or self._farewell is not None:
                    break
                whole = True
                if type(payload) is bytes:
                    self._reading.payload_received(payload)
                else:
                    assert isinstance(payload, Oversize)
                    self._reading.oversize_received(payload)
        except RemoteProtocolError as error:
            self._protocol_violated(error)
        if self._tables.imports.released:
            self.flush_released()
        outbox.uncork()
        if needed and self.paused and not self.closed:  # the call has ended
            transport: Any = self.transport
            transport.pauseProducing()
        if self._vigil is not None and not self.closed:
            self._vigil.heard(whole)
        # rpyc 6.0.2 servers leave Nagle's algorithm on: of two answers the second
        # waits until the first is acknowledged, which TCP puts off for 40 ms
        if self._acknowledge is not None and self._calls and not self.features:
            self._acknowledge()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        Called by the transport when the connection has ended.
        """
        self.closed = True
        error: Any = reason.value
        ended: BaseException = error
        self._ended = ended
        if self._close_timer is not None:
            self._close_timer.cancel()
            self._close_timer = None
        self._lost_why = self._farewell or _explain(ended, self._reader.at_boundary)
        if self._vigil is not None:
            self._vigil.end()
        self._outbox.detach()
        self._inbound.stop()
        self._calls.fail_all(lambda: ConnectionLost(self._lost_why))
        self._tables.exports.clear()
        self._tables.imports.clear()
        if self._greeted:
            self.runner.hook(self, self.service.on_disconnect)
        if self._when_ended is not None:
            self._when_ended(self)
        watchers, self._watchers = self._watchers, []
        for watcher in watchers:
            if not watcher.called:  # an earlier one's callback may have cancelled it
                watcher.callback(ended)

    def run_hook(self, hook: Callable[[Any], Any], seen: Any) -> None:
        """
        Call a service's hook, in the connection's context; `current_call` tells it
        who the peer is.

        Args:
            hook: ``on_connect`` or ``on_disconnect``.
            seen: The connection as the service is to see it.
        """
        token = _current.set(CurrentCall(self))
        try:
            running = maybeDeferred(hook, seen)
        finally:
            _current.reset(token)
        if not running.called and not self.closed:
            # a coroutine: the first request waits for it
            self._inbound.admission.hold()
            running.addCallback(self._ready)
        running.addErrback(lambda failure: self.hook_failed(hook, failure))

    def _ready(self, _done: Any) -> None:
        self._inbound.admission.release()
        self._inbound.look_if_all_answered()

    def hook_failed(self, hook: Callable[[Any], Any], failure: Failure) -> None:
        """
        Log that a service's hook raised, and close the connection.
        """
        _log.failure("{hook} failed", failure, hook=getattr(hook, "__qualname__", hook))
        self._hang_up(f"{getattr(hook, '__name__', 'a hook')} failed")

    @property
    def face(self) -> Any:
        """
        The connection as code that may block sees it: a `BlockingFace`.

        For worker threads; in the reactor's thread waiting on it is refused.
        """
        if self._face is None:
            self._face = self.runner.make_face(self)
        return self._face

    # -- what a user does with a connection

    @property
    def root(self) -> Any:
        """
        The peer's service, as a `RemoteReference`.

        On the accepting side, where nothing has been asked of the peer yet, a
        path that fetches it at its first use. Reading this sends nothing.
        """
        if self._root is not None:
            return self._root
        return RemotePath(LateReference(self.fetch_root, self.runner, "the peer's root"), ())

    @root.setter
    def root(self, reference: RemoteReference) -> None:
        self._root = reference  # a login gave another one

    @property
    def is_txremote(self) -> bool:
        """
        Whether the peer has said that it is a txremote.
        """
        return bool(self.features)

    def fetch_root(self) -> Deferred[Any]:
        """
        Return a Deferred of the peer's service, asking for it if need be.
        """
        if self._root is not None:
            return answered(self._root)

        def fetched(root: Any) -> Any:
            self._root = root
            return root

        return self.request(HANDLE_GETROOT).addCallback(fetched)

    def when_disconnected(self) -> Deferred[BaseException]:
        """
        Return a new Deferred that fires when the connection has ended, with the
        exception that says how: `ConnectionDone` where it ended well.
        """
        if self._ended is not None:
            return succeed(self._ended)
        watchers = self._watchers

        def forget(watcher: Deferred[BaseException]) -> None:
            # connectionLost leaves the list as it is, so this holds then, too
            watchers.remove(watcher)

        watcher: Deferred[BaseException] = Deferred(forget)
        watchers.append(watcher)
        return watcher

    def ping(self, data: Any = None, timeout: float = 3) -> Deferred[None]:
        """
        Ask the peer for a sign of life.

        Args:
            data: What it shall send back; some bytes if None.
            timeout: Seconds.

        Returns:
            A Deferred; `AsyncResultTimeout` if no answer came in time,
            `RemoteProtocolError` if another came.
        """
        self.runner.check_thread()
        sent = b"txremote" * 64 if data is None else data

        def compare(echo: Any) -> None:
            if echo != sent:
                raise RemoteProtocolError("the answer to a ping is not what was sent")

        return self._outbound.request(HANDLE_PING, (sent,), timeout, None).addCallback(compare)

    def close(self) -> Deferred[BaseException]:
        """
        Say good-bye, let what is unsent go out, and close.

        Returns:
            A Deferred that fires when the connection has ended, which is within
            `CLOSE_TIMEOUT` seconds even if the peer reads nothing.
        """
        ended = self.when_disconnected()
        if self._ended is None and self._farewell is None and self.transport is not None:
            if self.config.before_closed is not None:
                try:
                    self.config.before_closed(self.root)
                except Exception:  # it is the user's, and must not keep us open
                    _log.failure("before_closed failed")
            self.flush_released()
            self._hang_up("this side closed the connection", say_goodbye=True)
        return ended

    def request(self, handler: int, *args: Any) -> Deferred[Any]:
        """
        Send a request by its number.

        Args:
            handler: One of the ``HANDLE_`` numbers.
            *args: Its arguments.

        Returns:
            A Deferred of the answer.

        Raises:
            WrongThread: this is not the connection's thread.
        """
        self.runner.check_thread()
        return self.send_request(handler, args)

    def send_request(self, handler: int, args: tuple[Any, ...]) -> Deferred[Any]:
        """
        Do as `request`, for a caller that is in the connection's context.
        """
        return self._outbound.request(handler, args, *self._outbound.patience())

    def call(
        self,
        reference: RemoteReference,
        names: tuple[str, ...],
        args: tuple[Any, ...] | None,
        kwargs: dict[str, Any],
    ) -> Deferred[Any]:
        """
        Call what a path of names leads to, or read it, in as few requests as
        the peer allows.

        Args:
            reference: Where the path starts.
            names: Its names.
            args: The arguments, or None to read.
            kwargs: The named arguments.

        Raises:
            WrongThread: this is not the connection's thread.
        """
        self.runner.check_thread()
        return self._outbound.call(reference, names, args, kwargs)

    def send_call(
        self,
        reference: RemoteReference,
        names: tuple[str, ...],
        args: tuple[Any, ...] | None,
        kwargs: dict[str, Any],
    ) -> Deferred[Any]:
        """
        Do as `call`, for a caller that is in the connection's context.
        """
        return self._outbound.call(reference, names, args, kwargs)

    def limited(self, seconds: float | None, function: Callable[..., T], *args: Any) -> T:
        """
        Call a function, and have the peer know how long what it asks may take.

        Args:
            seconds: How long its answers are waited for, or None.
            function: What to call.
            *args: Its arguments.
        """
        self._outbound.limit = seconds
        try:
            return function(*args)
        finally:
            self._outbound.limit = None

    def flush_released(self) -> None:
        """
        Tell the peer which of its objects are not held here any more.
        """
        self._outbound.flush_released()

    @property
    def has_released(self) -> bool:
        """
        Whether references have died that the peer has not been told of.
        """
        return bool(self._tables.imports.released)

    def _make_reference(
        self, key: bytes, pack: IdPack, hold: Callable[[Any, bytes, IdPack], Held]
    ) -> RemoteReference:
        return RemoteReference(self, key, pack, hold)

    @property
    def ending(self) -> bool:
        """
        Whether nothing more can be asked: it has ended, or has been hung up.
        """
        return self._ended is not None or self._farewell is not None

    @property
    def why_ended(self) -> str:
        """
        Why the connection has ended, in words.
        """
        return self._farewell or self._lost_why

    @property
    def received(self) -> int:
        """
        How many requests about an object the peer has sent.
        """
        return self._inbound.received

    @property
    def other_dialect(self) -> str | None:
        """
        Connecting only: the dialect that the peer turned out to speak, where it
        is not the one it was spoken to in.
        """
        return self._reading.other_dialect

    # -- logging in

    def log_in(self, user: str, avatar: Any) -> None:
        """
        Note whose connection it is: the root is that user's from now on.
        """
        self.user = user
        self.avatar = self._inbound.root = avatar
        if self._vigil is not None:
            self._vigil.logged_in()
        if self.config.include_local_traceback is None:
            self._inbound.show_tracebacks = True

    # -- introductions

    def introduce(self, separately: bool = False) -> Deferred[Connection]:
        """
        Connecting side: ask for the root and say who we are.

        Args:
            separately: Whether to wait for the root before HELLO (over TLS).

        Returns:
            A Deferred of this connection, its root fetched and its peer known.
        """
        fetching = self.fetch_root()
        if separately:
            return fetching.addCallback(lambda _root: self._say_hello())
        saying = self._say_hello()

        def root_failed(failure: Failure) -> Failure:
            saying.addErrback(lambda _failure: None)
            return failure

        return fetching.addCallbacks(lambda _root: saying, root_failed)

    def _say_hello(self) -> Deferred[Connection]:
        def answered(answer: Any) -> None:
            if type(answer) is tuple and len(answer) == 2 and type(answer[1]) is tuple:
                self._hello_received(frozenset(x for x in answer[1] if type(x) is str))

        def refused(failure: Failure) -> None:
            failure.trap(KeyError)  # a stock RPyC has no such handler

        asking = self._outbound.request(HANDLE_HELLO, (HELLO_VERSION, self._inbound.features))
        asking.addCallbacks(answered, refused)
        return asking.addCallback(lambda _nothing: self)

    def _hello_received(self, features: frozenset[str]) -> None:
        self.knows_peer = True
        self.features = features & _KNOWN
        self._outbox.separate = None
        if self._vigil is not None:
            self._vigil.peer_known()

    # -- a peer that does not read, and one that is not there

    def _needs_peer(self) -> bool:
        return bool(self._calls)

    def _pressed(self, pressed: bool) -> None:
        """
        Much waits to be sent, or nothing any more.
        """
        transport: Any = self.transport
        if pressed and not self._calls:
            transport.pauseProducing()
        elif not pressed and not self.closed:
            transport.resumeProducing()
        self._inbound.admission.press(pressed)
        if not pressed:  # else an answer is just being written
            self._inbound.look_if_all_answered()

    def peer_needed(self) -> None:
        """
        A call of ours waits for the peer now: it is read, and what it asks starts.
        """
        transport: Any = self.transport
        if self._outbox.pressing:
            transport.resumeProducing()
        if self._clock is not None:
            # not now: the caller's own code is still running
            self._clock.callLater(0, self._inbound.look)

    @property
    def answers_pings(self) -> bool:
        """
        Whether the peer has said that it answers a PING at any time.
        """
        return FEATURE_KEEPALIVE in self.features

    @property
    def paused(self) -> bool:
        """
        Whether nothing is read from the peer, since it does not read itself.
        """
        return self._outbox.pressing and not self._calls

    @property
    def sending(self) -> bool:
        """
        Whether much is on its way to the peer.
        """
        return self._outbox.full

    @property
    def busy(self) -> bool:
        """
        Whether calls are unanswered, in either direction.
        """
        return bool(self._calls or len(self._inbound)) or self.runner.busy()

    def give_up(self, why: str) -> None:
        """
        End the connection at once: nothing that is sent would arrive.
        """
        if self._ended is None and self._farewell is None:
            self._farewell = why
            _events.debug("{peer}: {why}", peer=self._peer_address(), why=why)
            self._abort()

    def hang_up(self, why: str) -> None:
        """
        End the connection in order, for a reason other than its user's wish.
        """
        _events.debug("{peer}: {why}", peer=self._peer_address(), why=why)
        self._hang_up(why, say_goodbye=True)

    def turn_away(self, why: Exception, patience: float) -> None:
        """
        Tell the peer, at its first request, why it cannot be served, and close.

        Args:
            why: What it is told.
            patience: Seconds until it is closed without having asked.
        """
        self._inbound.turned_away = why
        assert self._clock is not None
        self._close_timer = self._clock.callLater(patience, self._abort)

    def finish(self, why: str) -> Deferred[BaseException]:
        """
        Answer what was asked, begin nothing new, and close.

        Args:
            why: What new calls are told, as a sentence.

        Returns:
            A Deferred that fires when the connection has ended; it is for the
            caller to lose patience, and to `close`.
        """
        ended = self.when_disconnected()
        if self._ended is None and self._farewell is None:
            if FEATURE_STOPPING in self.features:
                self._outbound.tell(HANDLE_STOPPING)
            self._inbound.finish_all(
                ServerStopping(why), lambda: self._hang_up(why, say_goodbye=True)
            )
        return ended

    def _peer_stops(self) -> None:
        self.peer_stopping = True

    def peer_closed(self) -> None:
        """
        The peer has said good-bye.
        """
        self._hang_up("the peer closed the connection")

    def seconds(self) -> float:
        """
        Return the time of the connection's clock, in seconds.
        """
        return self._clock.seconds() if self._clock is not None else 0.0

    # -- endings

    def _hang_up(self, why: str, say_goodbye: bool = False) -> None:
        if self._ended is not None or self._farewell is not None:
            return
        if say_goodbye and self._outbox.dialect is not None:
            self._outbound.tell(HANDLE_CLOSE)
        self._farewell = why
        self._outbox.finish()
        transport: Any = self.transport
        transport.loseConnection()
        if self._clock is not None and self._ended is None:
            if self._close_timer is not None:
                self._close_timer.cancel()
            self._close_timer = self._clock.callLater(CLOSE_TIMEOUT, self._abort)

    def _peer_address(self) -> Any:
        return self.transport.getPeer() if self.transport is not None else None

    def _abort(self) -> None:
        timer, self._close_timer = self._close_timer, None
        if timer is not None and timer.active():
            timer.cancel()
        transport: Any = self.transport
        transport.abortConnection()

    def _protocol_violated(self, error: RemoteProtocolError) -> None:
        if self.other_dialect is None:  # else it is dialled once more
            # as text: the error's frames hold all of this, and a log may keep events
            _events.warn(
                "{peer} broke the protocol: {error}", peer=self._peer_address(), error=str(error)
            )
        self._hang_up(f"the peer broke the protocol: {error}")


def _explain(reason: BaseException, at_boundary: bool) -> str:
    if not isinstance(reason, ConnectionDone):
        return str(reason) or type(reason).__name__
    if not at_boundary:
        return "the peer closed the connection in the middle of a message"
    return "the peer closed the connection"

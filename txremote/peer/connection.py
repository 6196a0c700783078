"""
`Connection`: both directions of RPyC's protocol over one Twisted transport.

It keeps the order between the parts of this room. Bytes become messages (`Receiver`), and a
message is either a request of the peer (`InboundCalls`) or the answer to one of ours
(`OutboundCalls`). All that is sent goes through one `Outbox`. `Backpressure` has one direction
wait for the other, `ConnectionTimeouts` bounds all in time, and `Closing` ends it.

A peer's bytes can end its call or its connection, and raise nothing but `RemoteProtocolError`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from twisted.internet import protocol
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IHandshakeListener, IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from txremote.config import DEFAULT_CONFIG, ConnectionConfig
from txremote.errors import ConnectionLost
from txremote.gate.access import AccessPolicy, DiallingPolicy
from txremote.gate.threaded import ThreadedCall
from txremote.levels import Logger
from txremote.peer.backpressure import Backpressure
from txremote.peer.closing import Closing
from txremote.peer.executor import Executor
from txremote.peer.exports import ClassNumbers, ExportTable
from txremote.peer.imports import NONE_RELEASED, ImportTable, ReleaseSweeper
from txremote.peer.inbound import InboundCalls
from txremote.peer.incoming import Streams
from txremote.peer.introduction import introduce
from txremote.peer.lifecycle import CLOSED, CLOSING, CONNECTING, HANDSHAKING, OPEN, State, following
from txremote.peer.logging import RateLimitedCount
from txremote.peer.memory_budget import MemoryBudget, MemoryShare
from txremote.peer.outbound import OutboundCalls
from txremote.peer.outbox import Outbox, Writing
from txremote.peer.pending_calls import NO_CALLS, PendingCalls
from txremote.peer.ports import Stream
from txremote.peer.receiving import Receiver, data_received
from txremote.peer.references import ReferenceTables
from txremote.peer.request import MakeRequest, Request
from txremote.peer.subscriptions import Subscriptions
from txremote.peer.timeouts import NO_TIMEOUTS, ConnectionTimeouts
from txremote.peer.unanswered_call import already_answered
from txremote.peer.variables import Variables
from txremote.peer.watchers import watchers
from txremote.peer.x509 import x509_of
from txremote.refs import forks
from txremote.refs.awaiting import succeeded
from txremote.refs.ports import Answer
from txremote.refs.reading import IncomingStream
from txremote.refs.reference import LateReference, RemotePath, RemoteReference
from txremote.refs.threadguard import making
from txremote.wire.consts import (
    FEATURE_GRAPHS,
    HANDLE_GETROOT,
    HANDLE_PING,
    KNOWN_FEATURES,
    SUBSCRIPTION_CLASS,
)
from txremote.wire.framing import FrameReader
from txremote.wire.messages import PING_DATA, Dialect, check_echo

_log = Logger("txremote")

if TYPE_CHECKING:  # it comes with the extra tls
    from cryptography.x509 import Certificate

T = TypeVar("T")

_NO_FEATURES: Final[frozenset[str]] = frozenset()  # Python makes another each time

# Peers know much the same, and each set of names takes 200 bytes.
_seen: dict[frozenset[str], frozenset[str]] = {}


def _ignore() -> None:
    pass


def is_local(address: object) -> bool:
    """Tell whether an address is on this machine."""
    if isinstance(address, IPv4Address):
        return address.host.startswith("127.")
    if isinstance(address, IPv6Address):
        return address.host == "::1" or address.host.startswith("::ffff:127.")
    return isinstance(address, UNIXAddress)


@implementer(IHandshakeListener)
class Connection(protocol.Protocol):
    """
    One end of a connection. Made by `listen`, `connect` and `connected_pair`.

    All methods are for the connection's own thread, the reactor's where there is one.

    Args:
        dialect: None on the accepting side, which learns it from the first frame and says
            nothing before.
        clock: For time-outs; None for a connection without any.
        prepare: Called with the transport; returns how its kind is written to.
        make_request: Makes each request of the peer; an observer brings its own.

    Attributes:
        service: The object that this side offers.
        config: The switches.
        avatar: The root object of the user that has logged in, or None.
        user: That user's name, or None.
        features: The extensions that the peer has said it knows.
        knows_peer: Whether this side has dialled the peer, or it has said that it is a
            txremote.
        opened: When it was made, on its clock.
        share: Counts the bytes that it holds with those of its listener's others; None as long as
            it has held none, and where no listener counts them.
        streams: Those that are sent or read, or None.
        subscriptions: Those of topics that are read, on either side, or None.
        peer_stopping: Whether the peer has said that it will stop: it refuses new calls.
        on_peer_stopping: Called when the peer says so, once.
    """

    # a listener may have very many of these
    __slots__ = (
        "_budget",
        "_clock",
        "_closing",
        "_gather",
        "_greeted",
        "_guard",
        "_prepare",
        "_sweeper",
        "_tables",
        "_when_ended",
        "config",
        "executor",
        "features",
        "home",
        "inbound",
        "knows_peer",
        "log_limit",
        "opened",
        "outbox",
        "receiver",
        "service",
        "share",
        "state",
    )

    # of few connections, so these take no room in the others
    avatar: Any = None
    user: str | None = None
    peer_stopping = False
    on_peer_stopping: Callable[[], object] = staticmethod(_ignore)
    streams: Streams | None = None
    subscriptions: Subscriptions | None = None
    _outbound: OutboundCalls | None = None
    _root: RemoteReference | None = None
    _view: Any = None

    def __init__(
        self,
        service: Any,
        *,
        executor: Executor[Connection],
        config: ConnectionConfig = DEFAULT_CONFIG,
        policy: AccessPolicy | None = None,
        classes: ClassNumbers | None = None,
        dialect: Dialect | None = None,
        clock: IReactorTime | None = None,
        sweeper: ReleaseSweeper | None = None,
        prepare: Callable[[Any], Writing] = lambda _transport: Writing(),
        ended: Callable[[Connection], object] | None = None,
        variables: Variables | None = None,
        make_request: MakeRequest = Request,
    ) -> None:
        self.service = service
        self.config = config
        self.executor = executor
        self._guard = executor.guard
        self.features = _NO_FEATURES
        self.state: State = CONNECTING
        self.home = forks.here
        self.opened = 0.0
        self.knows_peer = dialect is not None
        self._budget: MemoryBudget | None = None
        self.share: MemoryShare | None = None
        self._clock = clock
        self._prepare = prepare
        self._when_ended = ended
        self._sweeper = sweeper
        self._closing: Closing | None = None
        self.log_limit: RateLimitedCount | None = None
        self._gather: Callable[[Callable[[], None]], object] | None = None
        self._greeted = False  # whether the service knows of the connection
        reader = FrameReader(config.limits)
        reader.in_steps = executor.turns is not None
        self.outbox = outbox = Outbox(self, dialect)
        if policy is None:
            policy = (AccessPolicy if dialect is None else DiallingPolicy)(config)
        exports = ExportTable(config.max_exports, classes, policy, self)
        self._tables = tables = ReferenceTables(self, exports)
        self.inbound = InboundCalls(
            self,
            root=service,
            config=config,
            policy=policy,
            tables=tables,
            outbox=outbox,
            clock=clock,
            variables=variables,
            make_request=make_request,
        )
        self.receiver = Receiver(
            self.inbound, outbox, NO_CALLS, reader=reader, released=NONE_RELEASED
        )
        if getattr(service, "expects_login", False):
            self.receiver.allow(config.limits.for_strangers())

    @property
    def outbound(self) -> OutboundCalls:
        """
        This side's requests, without a check of the thread. Made when it is used first, in any
        thread.
        """
        return self._outbound or self._begin_calls()

    @outbound.setter
    def outbound(self, traced: OutboundCalls) -> None:
        self._outbound = traced

    def _begin_calls(self) -> OutboundCalls:
        with making:  # the answers to the calls of another one would be taken for this one's
            if self._outbound is None:
                outbound = OutboundCalls(
                    self,
                    config=self.config,
                    tables=self._tables,
                    outbox=self.outbox,
                    executor=self.executor,
                    clock=self._clock,
                )
                # first, for others use it as soon as it is there
                self.receiver.calls = outbound.pending
                self._outbound = outbound
            return self._outbound

    @property
    def closing(self) -> Closing:
        """How it ends. Made when it is used first, in any thread."""
        if self._closing is None:
            with making:  # those who watch another one would never hear of the end
                if self._closing is None:
                    self._closing = Closing(
                        self, outbox=self.outbox, inbound=self.inbound, clock=self._clock
                    )
        return self._closing

    def make_imports(self) -> ImportTable:
        """Make the table of the peer's objects that are held here: for `ReferenceTables`."""
        imports = ImportTable(self, self._sweeper, self.config.max_imports)
        self.receiver.released = imports.released
        return imports

    def __repr__(self) -> str:
        peer = "nobody" if self.transport is None else self.peer
        speaks = "txremote" if self.features else "RPyC"
        return f"<Connection to {peer} ({speaks}, {self.state.name.lower()})>"

    # -- its state

    def enter(self, state: State) -> None:
        """Enter the next state."""
        self.state = following(self.state, state)

    @property
    def closed(self) -> bool:
        """Whether the connection has ended."""
        return self.state is CLOSED

    @property
    def is_closing(self) -> bool:
        """Whether the connection has ended, or is about to: nothing can be asked."""
        return self.state >= CLOSING

    @property
    def peer(self) -> IAddress | None:
        """The peer's address; None before it is connected."""
        return None if self.transport is None else self.transport.getPeer()

    @property
    def peer_certificate(self) -> Any:
        """
        The peer's certificate on a TLS connection, as the transport has it, else None: pyOpenSSL's
        ``X509``, or behind an `ssl.SSLContext` what ``getpeercert`` gives.
        """
        fetch = getattr(self.transport, "getPeerCertificate", None)
        return fetch() if fetch is not None else None

    @property
    def peer_x509(self) -> Certificate | None:
        """The peer's certificate on a TLS connection, as cryptography has it, else None."""
        return x509_of(self.transport)

    @property
    def stream(self) -> Stream:
        """The transport, once it is there: more than the `ITransport` that Twisted promises."""
        transport: Any = self.transport
        return transport  # type: ignore[no-any-return]

    def run_in_thread(self, call: ThreadedCall) -> Answer:
        """Run a `threaded` method in a thread of its own."""
        return self.executor.in_thread(self, call)

    # -- Twisted's side

    def connectionMade(self) -> None:
        """Called by the transport. Starts the conversation."""
        self.opened = self.seconds()
        for watch in watchers:
            watch(self)
        local = is_local(self.peer)
        if local:
            self.inbound.answers.trust_peer()
        self.outbox.attach(self.transport)
        compress = self.config.compress
        self.outbox.compress = not local if compress == "auto" else bool(compress)
        writing = self._prepare(self.transport)
        self.outbox.separate, self.outbox.now = writing.separate, writing.now
        self.outbox.later, self._gather = writing.later, writing.gather
        self.outbox.parts = writing.parts
        dialled = self.knows_peer
        self.receiver.acknowledge, self.receiver.read = writing.acknowledge, writing.read
        timeouts = NO_TIMEOUTS
        if self._clock is not None:
            timeouts = ConnectionTimeouts(self, self._clock)
        self.inbound.timeouts = timeouts
        if getattr(self.service, "expects_login", False):
            timeouts.expect_login()
        if writing.separate is None:
            self._open()
            return
        self.enter(HANDSHAKING)
        if not dialled:
            timeouts.expect_handshake()

    def _open(self) -> None:
        self.enter(OPEN)
        self._greeted = True
        self.executor.call_hook(self, self.service.on_connect)

    def handshakeCompleted(self) -> None:
        """Called by TLS (`IHandshakeListener`): the service is told of the connection now."""
        self.inbound.timeouts.handshake_done()
        if self.state is HANDSHAKING:
            self._open()

    dataReceived = data_received

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Called by the transport when the connection has ended."""
        if self.receiver.postpone_loss(reason):
            return
        error: Any = reason.value
        self.closing.lost(error, self.receiver.at_boundary)
        self.inbound.timeouts.stop()
        self.outbox.detach()
        self.inbound.stop()
        self._leave_budget()
        self.receiver.calls.fail_all(lambda: ConnectionLost(self.closing.why))
        self._tables.exports.clear()
        if self._tables.imported:
            self._tables.imports.clear()
        if self._greeted:
            self.executor.call_hook(self, self.service.on_disconnect)
        if self._when_ended is not None:
            self._when_ended(self)
        if self.on_peer_stopping is not _ignore:
            self.on_peer_stopping = _ignore
        self.closing.notify()

    def let_go(self, held: list[object]) -> None:
        """Empty a list that holds a generator, where the generator's code runs."""
        self.executor.let_go(self, held)

    def abort(self, why: str) -> None:
        """End it at once: nothing that is sent would arrive."""
        self.closing.abort(why)

    @property
    def backpressure(self) -> Backpressure:
        """Has bytes flow, or not. It keeps nothing, so it is made for each question."""
        return Backpressure(self, self.outbox, self._clock)

    @property
    def calls(self) -> PendingCalls:
        """The calls of this side that are unanswered."""
        return self.receiver.calls

    def needs_peer(self) -> bool:
        """Tell whether a call of ours waits for the peer, or a thread for its requests."""
        return self.backpressure.needs_peer()

    def join(self, budget: MemoryBudget) -> None:
        """Count the bytes that this connection holds with those of a listener's others."""
        self._budget = budget
        self.receiver.limit_room(True)

    def begin_share(self) -> MemoryShare | None:
        """Begin to count them: it holds some now. None where it has joined no others."""
        budget = self._budget
        if budget is not None:
            self.share = MemoryShare(budget, budget.host_of(self), self)
        return self.share

    def _leave_budget(self) -> None:
        # both lead back here, and what has ended is to be gone without the garbage collector
        share, self.share = self.share, None
        self._budget = None
        self.receiver.limit_room(False)
        if share is not None:
            share.end()

    @property
    def view(self) -> Any:
        """
        The connection for code that may block, in worker threads. In the reactor's thread,
        waiting on it is refused.
        """
        if self._view is None:
            with making:
                if self._view is None:
                    self._view = self.executor.make_view(self)
        return self._view

    # -- for users

    @property
    def root(self) -> RemoteReference | RemotePath:
        """
        The peer's service, as a `RemoteReference`. Reading this sends nothing: on the
        accepting side it is a path that fetches the root at its first use.
        """
        if self._root is not None:
            return self._root
        return RemotePath(LateReference(self.fetch_root, self.executor, "the peer's root"), ())

    @root.setter
    def root(self, reference: RemoteReference) -> None:
        self._root = reference  # a login gave another one

    @property
    def is_txremote(self) -> bool:
        """Whether the peer has said that it is a txremote."""
        return bool(self.features)

    def fetch_root(self) -> Answer:
        """Return a Deferred of the peer's service, asking for it if need be."""
        if self._root is not None:
            return already_answered(self._root)

        def fetched(root: RemoteReference) -> RemoteReference:
            self._root = root
            return root

        return self.request(HANDLE_GETROOT).addCallback(fetched)

    def when_disconnected(self) -> Deferred[BaseException]:
        """Return a new Deferred of how it ended: `ConnectionDone` where it ended well."""
        return self.closing.watch()

    def check_process(self) -> None:
        """Raise `WrongProcess` in a process that was forked of the connection's."""
        if self.home is not forks.here:
            raise forks.wrong_process(self.home)

    def ping(self, data: object = None, timeout: float = 3) -> Deferred[None]:
        """
        Ask the peer to send ``data`` back, or some bytes, within ``timeout`` seconds. The
        Deferred fails with `AsyncResultTimeout`, or with `PingError` if other data came.
        """
        self.check_process()
        self._guard.check()
        sent = PING_DATA if data is None else data
        asked = self.outbound.request(HANDLE_PING, (sent,), timeout, None)
        return asked.addCallback(partial(check_echo, sent))

    def close(self) -> Deferred[BaseException]:
        """
        Say good-bye, let what is unsent go out, and close.

        Returns:
            A Deferred that fires when the connection has ended: within 5 seconds even if
            the peer reads nothing, and at once in a forked process, where nothing is done.
        """
        if self.home is not forks.here:
            return succeeded(forks.wrong_process(self.home))
        hook = self.config.before_closed
        if hook is not None and self.state < CLOSING and self.transport is not None:
            try:
                hook(self.root)
            except Exception:  # it is the user's, and must not keep us open
                _log.failure("before_closed failed")
        return self.leave()

    def leave(self) -> Deferred[BaseException]:
        """Do as `close`, but for ``before_closed``."""
        if self.state < CLOSING and self.transport is not None:
            self.outbound.flush_released()
            self.closing.close("this side closed the connection")
        return self.closing.watch()

    def request(self, handler: int, *args: object) -> Answer:
        """Send a request by its ``HANDLE_`` number. `WrongThread` in another thread."""
        self.check_process()
        self._guard.check()
        return self.outbound.request_with_default_timeout(handler, args)

    def call(
        self,
        reference: RemoteReference,
        names: tuple[str, ...],
        args: tuple[object, ...] | None,
        kwargs: dict[str, object],
        deadline: float | None = None,
    ) -> Answer:
        """
        Call what a path of names leads to, or with ``args`` None read it, in as few requests
        as the peer allows.

        Args:
            deadline: Seconds after which the caller gives up by itself, of which a txremote
                peer is told; None for the time that calls have by the config.

        Raises:
            WrongThread: this is not the connection's thread.
        """
        if self.home is not forks.here:  # as check_process(), at each call
            self.check_process()
        self._guard.check()
        outbound = self._outbound or self._begin_calls()
        return outbound.call(reference, names, args, kwargs, deadline)

    def streams_begun(self) -> Streams:
        """Return its streams, in which there may be none yet. Any thread."""
        if self.streams is None:
            with making:
                if self.streams is None:
                    self.streams = Streams(self)
        return self.streams

    def read_streams(self, begin: bool) -> None:
        """Have streams of the peer's read from now on, or none any more."""
        self.receiver.read_streams(begin)

    def open_stream(self, reference: RemoteReference, keeps: bool) -> IncomingStream:
        """Begin to read a stream or subscription of the peer's, for `txremote.refs.reading`."""
        self.check_process()
        self._guard.check()
        if reference._pack[0] == SUBSCRIPTION_CLASS:
            return self.subscriptions_begun().open(reference, keeps)
        return self.streams_begun().open(reference, keeps)

    def subscriptions_begun(self) -> Subscriptions:
        """Return its subscriptions, of which there may be none yet. Any thread."""
        if self.subscriptions is None:
            with making:
                if self.subscriptions is None:
                    self.subscriptions = Subscriptions(self)
        return self.subscriptions

    @property
    def tables(self) -> ReferenceTables:
        """Its reference tables."""
        return self._tables

    @property
    def why_ended(self) -> str:
        """Why the connection has ended, in words."""
        return self.closing.why

    @property
    def other_dialect(self) -> str | None:
        """Connecting only: the dialect of a peer that was spoken to in another one."""
        return self.receiver.other_dialect

    # -- logging in

    def log_in(self, user: str, avatar: object) -> None:
        """Note that a user has logged in: the root is that user's from now on."""
        self.user = user
        self.avatar = self.inbound.root = avatar
        self.receiver.allow(self.config.limits)
        self.inbound.timeouts.logged_in()
        self.inbound.answers.trust_peer()

    def introduce(self, separately: bool = False) -> Deferred[Connection]:
        """
        Connecting side: fetch the root, say HELLO, and return a Deferred of this connection.

        Args:
            separately: Whether to wait for the root before HELLO (over TLS).
        """
        return introduce(self, separately)

    def hello_received(self, features: frozenset[str]) -> None:
        """Note that the peer is a txremote, with these extensions."""
        self.knows_peer = True
        known = features & KNOWN_FEATURES
        self.features = _seen.setdefault(known, known)
        self.outbox.separate = None
        if FEATURE_GRAPHS in known and self._gather is not None:
            self.outbox.gather(self._gather)
        self.inbound.timeouts.peer_known()

    def seconds(self) -> float:
        """Return the time of the connection's clock, in seconds."""
        return self._clock.seconds() if self._clock is not None else 0.0

"""
`Connection`: both directions of RPyC's protocol over one Twisted transport.

It joins the parts of this room and keeps the order between them:

* bytes become payloads (`FrameReader`), payloads messages, a message either a
  request of the peer's (`InboundCalls`) or the answer to one of ours
  (`PendingCalls`);
* a reference in a message is unboxed when the message arrives, whatever happens
  to the message later;
* a Deferred is stored under its number *before* the request is written, for a
  transport may answer inside ``write``.

The accepting side learns the dialect from the first frame and says nothing
before; the connecting side asks for the root and introduces itself with HELLO
right behind. Whoever answers that with a KeyError is a stock RPyC, and is sent
nothing that RPyC does not know.

The one rule: what a peer sends can end its call or its connection, and raises
nothing but `RemoteProtocolError` in here.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred, fail, maybeDeferred, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from txremote.errors import (
    ConnectionLost,
    DeadReferenceError,
    NotSendable,
    RemoteProtocolError,
)
from txremote.peer.access import AccessPolicy
from txremote.peer.calls import Clock, PendingCalls, answered
from txremote.peer.config import DEFAULT_CONFIG, ConnectionConfig
from txremote.peer.exports import ClassNumbers, Export, ExportTable
from txremote.peer.imports import Held, ImportTable, ReleaseSweeper
from txremote.peer.inbound import InboundCalls
from txremote.peer.outbox import Outbox, Writing
from txremote.peer.references import ReferenceTables
from txremote.peer.runner import Runner
from txremote.refs.reference import LateReference, RemotePath, RemoteReference
from txremote.wire import boxing
from txremote.wire.brine import Budget, dump, load_value, truncated
from txremote.wire.consts import (
    FEATURE_CALLPATH,
    FEATURE_CANCEL,
    FEATURE_RELEASE,
    FEATURES,
    HANDLE_CALL,
    HANDLE_CALLATTR,
    HANDLE_CALLPATH,
    HANDLE_CANCEL,
    HANDLE_CLOSE,
    HANDLE_DEL,
    HANDLE_GETATTR,
    HANDLE_GETROOT,
    HANDLE_HELLO,
    HANDLE_PING,
    HANDLE_RELEASE,
    HELLO_VERSION,
    MSG_EXCEPTION,
    MSG_REQUEST,
    IdPack,
)
from txremote.wire.exceptions import load_exception
from txremote.wire.framing import FrameReader, Oversize
from txremote.wire.messages import (
    Dialect,
    check_end,
    load_plain,
    open_envelope,
    open_request,
    peek,
    sniff,
)

_log = Logger("txremote")

#: Seconds that `Connection.close` gives the peer to take what is still unsent.
CLOSE_TIMEOUT = 5.0

#: Most references that one RELEASE gives back.
RELEASED_AT_ONCE = 1000

# A caller that makes up names (a peer may, through a forwarded CALLPATH) must
# not fill the memory with encoded ones.
_MOST_HEADS = 100
_LONGEST_HEAD = 1000

# What was called how often is not known, so when there are many all are dropped.
_MOST_SITES = 256


def is_local(address: Any) -> bool:
    """
    Tell whether an address is on this machine.
    """
    if isinstance(address, IPv4Address):
        return address.host.startswith("127.")
    if isinstance(address, IPv6Address):
        return address.host == "::1" or address.host.startswith("::ffff:127.")
    return isinstance(address, UNIXAddress)


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
        avatar: Whom the peer has logged in as, or None.
        features: The extensions that the peer has said it knows.
        closed: Whether the connection has ended.
        other_dialect: Connecting only: the dialect that the peer turned out to
            speak, where it is not the one it was spoken to in.
    """

    # a listener may have very many of these
    __slots__ = (
        "_acknowledge",
        "_budget",
        "_calls",
        "_clock",
        "_close_timer",
        "_connecting",
        "_ended",
        "_face",
        "_farewell",
        "_inbound",
        "_introduced",
        "_limits",
        "_lost_why",
        "_outbox",
        "_prepare",
        "_reader",
        "_root",
        "_sites",
        "_tables",
        "_watchers",
        "_when_ended",
        "avatar",
        "closed",
        "config",
        "features",
        "other_dialect",
        "runner",
        "service",
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
        self.features: frozenset[str] = frozenset()
        self.closed = False
        self.other_dialect: str | None = None
        self._connecting = dialect is not None
        self._introduced = False  # a HELLO has come, or the answer to ours
        self._clock = clock
        self._limits = config.limits
        self._reader = FrameReader(self._limits)
        self._budget = Budget(self._limits, 0)
        self._outbox = Outbox(dialect, config.max_unsent)
        self._prepare = prepare
        self._acknowledge: Callable[[], object] | None = None
        self._when_ended = ended
        self._calls = PendingCalls(clock, runner.fire, self._call_abandoned)
        imports = ImportTable(
            self._make_reference, self.flush_released, sweeper, config.max_imports
        )
        exports = ExportTable(config.max_exports, classes)
        self._tables = ReferenceTables(self, exports, imports)
        self._inbound = InboundCalls(
            self,
            root=service,
            config=config,
            policy=policy or AccessPolicy(config),
            tables=self._tables,
            outbox=self._outbox,
            runner=runner,
            clock=clock,
            hello_received=self._hello_received,
        )
        self._face: Any = None
        self._sites: dict[bytes, tuple[Export, str]] = {}
        self._root: RemoteReference | None = None
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
        self.runner.hook(self, self.service.on_connect)

    def dataReceived(self, data: bytes) -> None:
        """
        Called by the transport with what was read.
        """
        outbox = self._outbox
        outbox.cork()
        try:
            for payload in self._reader.feed(data):
                if self._ended is not None or self._farewell is not None:
                    break
                if type(payload) is bytes:
                    self._payload_received(payload)
                else:
                    assert isinstance(payload, Oversize)
                    self._oversize_received(payload)
        except RemoteProtocolError as error:
            self._protocol_violated(error)
        if self._tables.imports.released:
            self.flush_released()
        outbox.uncork()
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
        self._lost_why = (
            self._farewell or self._outbox.trouble or _explain(ended, self._reader.at_boundary)
        )
        self._outbox.detach()
        self._inbound.stop()
        self._calls.fail_all(lambda: ConnectionLost(self._lost_why))
        self._tables.exports.clear()
        self._tables.imports.clear()
        self.runner.hook(self, self.service.on_disconnect)
        if self._when_ended is not None:
            self._when_ended(self)
        watchers, self._watchers = self._watchers, []
        for watcher in watchers:
            if not watcher.called:  # an earlier one's callback may have cancelled it
                watcher.callback(ended)

    def run_hook(self, hook: Callable[[Any], Any], seen: Any) -> None:
        """
        Call a service's hook, in the connection's context.

        Args:
            hook: ``on_connect`` or ``on_disconnect``.
            seen: The connection as the service is to see it.
        """
        running = maybeDeferred(hook, seen)
        if not running.called and not self.closed:
            # a coroutine: the first request waits for it
            self._inbound.hold()
            running.addCallback(lambda _done: self._inbound.release())
        running.addErrback(lambda failure: self.hook_failed(hook, failure))

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

        return self._request(HANDLE_PING, (sent,), timeout, None).addCallback(compare)

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
        return self._request(handler, args, self._timeout())

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
        return self.send_call(reference, names, args, kwargs)

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
        if len(names) > 1 and FEATURE_CALLPATH not in self.features:
            # a stock peer: step by step, but for the last
            def go(step: Any) -> Any:
                if isinstance(step, RemoteReference):
                    return step._call(names[-1:], args, kwargs)
                found = getattr(step, names[-1])
                return found if args is None else found(*args, **kwargs)

            return self.send_call(reference, names[:-1], None, {}).addCallback(go)
        if args is None and len(names) == 1:
            return self._request(HANDLE_GETATTR, (reference, names[0]), self._timeout())
        try:
            heads = reference._heads
            head = heads.get(names) if heads is not None else None
            if head is None:
                head = _call_head(reference, names)
                heads = reference._start_heads()
                if len(heads) < _MOST_HEADS and len(head) < _LONGEST_HEAD:
                    heads[names] = head
            body = [head]
            if args is None:
                self._tables.box(body, None, ())
            elif kwargs:
                self._tables.box(body, args, tuple(kwargs.items()))
            else:
                self._tables.box(body, args)
                body.append(boxing.EMPTY_TUPLE)
        except NotSendable as error:
            return fail(error)
        asked = self._send(body, self._timeout())
        return asked if self.features else _kept(asked, reference, args, kwargs)

    # -- requests

    def _timeout(self) -> float | None:
        """
        Return how long a call may take: a stock client's answer may never come,
        since it serves our calls only while it waits for its own.
        """
        if self._connecting or self._introduced:
            return None
        return self.config.sync_request_timeout

    def _request(
        self,
        handler: int,
        args: tuple[Any, ...],
        timeout: float | None = None,
        option: str | None = "sync_request_timeout",
    ) -> Deferred[Any]:
        body = [b"\x11" + dump(handler)]
        try:
            self._tables.box(body, args)
        except NotSendable as error:
            return fail(error)
        asked = self._send(body, timeout, option)
        return asked if self.features else _kept(asked, args)

    def _send(
        self,
        body: list[bytes],
        timeout: float | None,
        option: str | None = "sync_request_timeout",
    ) -> Deferred[Any]:
        if self._ended is not None or self._farewell is not None:
            self._tables.take_back()
            return fail(DeadReferenceError(f"the connection has ended: {self.why_ended}"))
        if self._tables.imports.released:
            self.flush_released()
        number, deferred = self._calls.add(timeout, option)
        try:
            self._outbox.request(number, body)
        except NotSendable as error:
            self._calls.pop(number)
            self._tables.take_back()
            return fail(error)
        return deferred

    @property
    def why_ended(self) -> str:
        """
        Why the connection has ended, in words.
        """
        return self._farewell or self._lost_why

    @property
    def has_released(self) -> bool:
        """
        Whether references have died that the peer has not been told of.
        """
        return bool(self._tables.imports.released)

    def _tell(self, handler: int, *args: Any) -> None:
        """
        Send a request whose answer is of no interest.
        """
        body = [b"\x11" + dump(handler)]
        self._tables.box(body, args)
        self._outbox.request(self._calls.skip(), body)

    def _call_abandoned(self, number: int) -> None:
        if self._ended is None and FEATURE_CANCEL in self.features:
            self._tell(HANDLE_CANCEL, number)

    def _make_reference(
        self, key: bytes, pack: IdPack, hold: Callable[[Any, bytes, IdPack], Held]
    ) -> RemoteReference:
        return RemoteReference(self, key, pack, hold)

    def flush_released(self) -> None:
        """
        Tell the peer which of its objects are not held here any more.
        """
        dead = self._tables.imports.take_released()
        if not dead or self._ended is not None or self._farewell is not None:
            return
        if FEATURE_RELEASE in self.features:
            pairs = tuple(dead.values())
            # in parts, else many would meet the peer's max_items and none be released
            for start in range(0, len(pairs), RELEASED_AT_ONCE):
                self._tell(HANDLE_RELEASE, pairs[start : start + RELEASED_AT_ONCE])
            return
        for key, (_pack, count) in dead.items():
            body = [
                b"\x11"
                + dump(HANDLE_DEL)
                + boxing.TUPLE_HEAD
                + b"\x11"
                + boxing.LOCAL_REF_HEAD
                + key
                + boxing.VALUE_HEAD
                + dump(count)
            ]
            self._outbox.request(self._calls.skip(), body)

    # -- messages

    def _payload_received(self, data: bytes) -> None:
        # what is too short to be counted needs no budget of its own
        budget = self._budget if len(data) <= self._limits.max_items else None
        if budget is None:
            budget = Budget(self._limits, len(data))
        dialect = self._outbox.dialect
        if dialect is None:
            dialect = sniff(data)
            self._outbox.know(dialect)
        try:
            kind, number, pos, sender = open_envelope(data, dialect, budget)
        except (IndexError, struct.error):
            raise truncated(data) from None
        except RemoteProtocolError:
            actual = sniff(data)
            if actual.name == dialect.name:
                raise
            self.other_dialect = actual.name
            raise RemoteProtocolError(
                f"the peer speaks RPyC {actual.name}, and was spoken to in RPyC {dialect.name}"
            ) from None
        if kind == MSG_REQUEST:
            self._request_received(data, number, pos, sender, budget)
        else:
            self._answer_received(data, kind, number, pos, budget)

    def _request_received(
        self, data: bytes, number: int, pos: int, sender: int, budget: Budget
    ) -> None:
        try:
            handler, pos = open_request(data, pos, budget)
            if handler == HANDLE_CALLATTR:
                args, end = self._unbox_call(data, pos, budget)
            else:
                args, end = boxing.unbox(data, pos, self._limits.max_depth, budget, self._tables)
            if end != len(data):
                check_end(data, end)
        except (IndexError, struct.error):
            error = truncated(data)
        except RemoteProtocolError as problem:
            error = problem
        except RecursionError:
            error = _no_stack()
        else:
            if handler == HANDLE_CLOSE:
                self._hang_up("the peer closed the connection")
            else:
                self._inbound.request_received(number, sender, handler, args)
            return
        self._tables.missing = None  # it was this message's, which is lost as a whole
        self._inbound.answer_error(number, sender, error)
        if error.limit is None:
            raise error

    def _unbox_call(self, data: bytes, pos: int, budget: Budget) -> tuple[Any, int]:
        """
        Unbox the arguments of a CALLATTR, object and name by a look into what
        was called before.
        """
        depth = self._limits.max_depth
        behind = boxing.call_site_end(data, pos)
        if not behind or data[behind : behind + 2] != boxing.VALUE_HEAD:
            return boxing.unbox(data, pos, depth, budget, self._tables)
        site = data[pos:behind]
        known = self._sites.get(site)
        if known is None or known[0].count == 0:
            whole, end = boxing.unbox(data, pos, depth, budget, self._tables)
            export = self._tables.exports.of(whole[0])
            if export is not None:
                if len(self._sites) >= _MOST_SITES:
                    self._sites.clear()
                self._sites[site] = (export, whole[1])
            return whole, end
        args, end = load_value(data, behind + 2, depth - 1, budget)
        if data[end:] == boxing.EMPTY_TUPLE:
            return (known[0].target, known[1], args, ()), len(data)
        kwargs, end = boxing.unbox(data, end, depth - 1, budget, self._tables)
        return (known[0].target, known[1], args, kwargs), end

    def _answer_received(
        self, data: bytes, kind: int, number: int, pos: int, budget: Budget
    ) -> None:
        deferred = self._calls.pop(number)
        result: Any
        try:
            if kind == MSG_EXCEPTION:
                depth = self._limits.max_depth
                result = Failure(
                    load_exception(
                        load_plain(data, pos, depth, budget),
                        instantiate_custom=self.config.instantiate_custom_exceptions,
                        import_custom=self.config.import_custom_exceptions,
                    )
                )
            else:
                # even if nobody waits: the references in it must be given back
                result, end = boxing.unbox(data, pos, self._limits.max_depth, budget, self._tables)
                if end != len(data):
                    check_end(data, end)
                if self._tables.missing is not None:
                    self._tables.check_missing()
        except (IndexError, struct.error):
            error: Exception = truncated(data)
        except (RemoteProtocolError, KeyError) as problem:
            # in its frames are references, which whoever keeps the error would keep
            error = problem.with_traceback(None)
        except RecursionError:
            error = _no_stack()
        else:
            if deferred is not None:
                self.runner.fire(deferred, result)
            return
        self._tables.missing = None
        if deferred is not None:
            self.runner.fire(deferred, Failure(error))
        if isinstance(error, RemoteProtocolError) and error.limit is None:
            raise error

    def _oversize_received(self, message: Oversize) -> None:
        """
        A message that was dropped for its length costs its call, if that can be
        told, else the connection.
        """
        budget = Budget(self._limits, len(message.head))
        envelope = peek(message.head, self._outbox.dialect, budget)
        if envelope is None:
            raise message.error
        if self._outbox.dialect is None:
            self._outbox.know(sniff(message.head))
        kind, number, _pos, sender = envelope
        if kind == MSG_REQUEST:
            self._inbound.answer_error(number, sender, message.error)
            return
        deferred = self._calls.pop(number)
        if deferred is not None:
            self.runner.fire(deferred, Failure(message.error))

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

        asking = self._request(HANDLE_HELLO, (HELLO_VERSION, FEATURES))
        asking.addCallbacks(answered, refused)
        return asking.addCallback(lambda _nothing: self)

    def _hello_received(self, features: frozenset[str]) -> None:
        self._introduced = True
        self.features = features & frozenset(FEATURES)
        self._outbox.separate = None

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
            self._tell(HANDLE_CLOSE)
        self._farewell = why
        self._outbox.finish()
        transport: Any = self.transport
        transport.loseConnection()
        if self._clock is not None and self._ended is None:
            self._close_timer = self._clock.callLater(CLOSE_TIMEOUT, self._abort)

    def _abort(self) -> None:
        self._close_timer = None
        transport: Any = self.transport
        transport.abortConnection()

    def _protocol_violated(self, error: RemoteProtocolError) -> None:
        address = self.transport.getPeer() if self.transport is not None else None
        if self.other_dialect is None:  # else it is dialled once more
            _log.warn("{peer} broke the protocol: {error}", peer=address, error=error)
        self._hang_up(f"the peer broke the protocol: {error}")


def _kept(asked: Deferred[Any], *held: Any) -> Deferred[Any]:
    """
    Keep what a request is about until it is answered, toward a peer that may
    serve requests in several threads (rpyc 6.0.2 does with bind_threads, or
    beside a BgServingThread): there a DEL could overtake the request.
    """
    return asked.addBoth(_first, held)


def _first(result: Any, _held: Any) -> Any:
    return result


def _no_stack() -> RemoteProtocolError:
    return RemoteProtocolError(
        "nested deeper than what calls within calls have left of this side's stack "
        "(option max_depth)",
        "max_depth",
    )


def _explain(reason: BaseException, at_boundary: bool) -> str:
    if not isinstance(reason, ConnectionDone):
        return str(reason) or type(reason).__name__
    if not at_boundary:
        return "the peer closed the connection in the middle of a message"
    return "the peer closed the connection"


def _call_head(reference: RemoteReference, names: tuple[str, ...]) -> bytes:
    """
    Return the part of a call that is the same each time: what is called.
    """
    target = boxing.LOCAL_REF_HEAD + reference._key
    if not names:
        return b"\x11" + dump(HANDLE_CALL) + boxing.TUPLE_HEAD + b"\x12" + target
    if len(names) == 1:
        name = boxing.box_name(names[0])
        return b"\x11" + dump(HANDLE_CALLATTR) + boxing.TUPLE_HEAD + b"\x13" + target + name
    path = boxing.VALUE_HEAD + dump(names)
    return b"\x11" + dump(HANDLE_CALLPATH) + boxing.TUPLE_HEAD + b"\x13" + target + path

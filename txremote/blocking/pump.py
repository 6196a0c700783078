"""
The pump: drives a `Connection` with whatever threads happen to wait on it.

There is no thread of its own and no reactor. A thread that waits, for an answer
or for work, does one of two things: if nobody else is reading it becomes the
reader, else it sleeps until there is something for it. What arrives is decoded
by the reader under one lock, and becomes *items* of one queue, in the order of
arrival: requests of the peer to run, answers of ours to deliver. Items are run
outside the lock, by whichever waiting thread comes first, so a request that
takes long, or calls back, holds nobody else up; and a callback that the peer
sent before its answer has run when the answer arrives.

Three locks, none held while another thread's code runs:

``lock``      the connection's state and the order of what is written
``_reading``  the role of the reader
``_sending``  the role of the sender

Sending never waits for ever. While the socket is full the sender also reads, if
nobody else does: two peers that send each other much at once must both get on.

Garbage collection may run in the middle of any of this. All it does is to append
to a queue (`txremote.peer.imports`).
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from heapq import heappop, heappush
from itertools import count
from time import monotonic
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.error import ConnectionLost as TwistedConnectionLost
from twisted.internet.interfaces import ITransport
from twisted.python.failure import Failure
from zope.interface import implementer

from txremote.errors import AsyncResultTimeout
from txremote.peer.runner import Work
from txremote.peer.threaded import ThreadedCall
from txremote.refs.asyncresult import Waitable, value_of
from txremote.refs.face import check_stack, refuse_in_reactor

#: Seconds that closing gives the peer to take what is still unsent.
CLOSE_TIMEOUT = 5.0


class Waiter:
    """
    A thread that waits: for an answer, or just for things to happen.
    """

    __slots__ = ("done", "interrupted", "parked", "value")

    def __init__(self) -> None:
        self.done = False
        self.interrupted = False
        self.value: Any = None
        self.parked: Any = None


class Answer:
    """
    An item that completes a waiter.
    """

    __slots__ = ("value", "waiter")

    def __init__(self, waiter: Waiter, value: Any) -> None:
        self.waiter = waiter
        self.value = value


def _delivered() -> None:
    """
    Stands for an item that needed no running.
    """


@implementer(ITransport)
class PumpTransport:
    """
    What a `Connection` writes to: bytes gather here and the pump sends them.
    """

    def __init__(self, channel: Any) -> None:
        self._channel = channel
        self.out: deque[bytes | memoryview] = deque()
        self.ending: Exception | None = None

    def write(self, data: bytes) -> None:
        """
        Have bytes sent.
        """
        self.out.append(data)

    def writeSequence(self, data: Any) -> None:
        """
        Have bytes sent.
        """
        self.out.extend(data)

    def loseConnection(self) -> None:
        """
        Close when everything is sent.
        """
        self.ending = self.ending or ConnectionDone()

    def abortConnection(self) -> None:
        """
        Close at once.
        """
        self.out.clear()
        self.ending = ConnectionAborted()

    def getPeer(self) -> Any:
        """
        Return the peer's address.
        """
        return self._channel.peer

    def getHost(self) -> Any:
        """
        Return this end's address.
        """
        return self._channel.host


class Pump:
    """
    A `Runner` and a `Driver` for connections without a reactor.

    Args:
        channel: Where the bytes go.
        make_face: Called with the pump and the connection for its
            `BlockingFace`, once.
        connecting: Whether the service is to hear of the connection from
            `introduced`, and not at once.

    Attributes:
        always_serves: No: requests are looked at while a thread waits.
        lock: Held by whoever touches the connection.
        connection: The connection that is driven.
    """

    always_serves = False
    polling = 0  # nobody: requests run as they come

    def __init__(
        self, channel: Any, make_face: Callable[[Pump, Any], Any], connecting: bool = False
    ) -> None:
        self._make_face = make_face
        self.lock = threading.RLock()
        self.transport = PumpTransport(channel)
        self.connection: Any = None
        # what to call once the peer is known, on the connecting side until it is
        self._greeting: list[Callable[[], None]] | None = [] if connecting else None
        self._channel = channel
        self._items: deque[Any] = deque()  # Answer or callable
        # Reentrant, for garbage collection may run somebody's __del__ inside.
        self._taking = threading.RLock()
        self._reading = threading.Lock()
        self._sending = threading.Lock()
        self._closing = threading.Lock()
        self._draining = threading.Lock()
        self._timing = threading.Lock()
        self._timers: list[list[Any]] = []  # a heap of [when, number, function or None]
        self._numbers = count()
        self._sleeping: deque[Waiter] = deque()

    def attach(self, connection: Any) -> None:
        """
        Start to drive a connection.
        """
        self.connection = connection
        with self.lock:
            connection.makeConnection(self.transport)

    # -- what a connection asks of its runner

    def start(self, work: Work) -> None:
        """
        Queue a request of the peer.
        """
        self._items.append(partial(self._run, work))

    def busy(self) -> bool:
        """
        Tell whether there is something to run.
        """
        return bool(self._items)

    def fire(self, deferred: Deferred[Any], result: Any) -> None:
        """
        Fire a Deferred, under the lock: its callbacks queue what is to be seen.
        """
        if not deferred.called:
            deferred.callback(result)

    def hook(self, connection: Any, hook: Callable[[Any], Any]) -> None:
        """
        Queue a hook of the service, before any request.
        """

        def call() -> None:
            self._step_aside()
            try:
                hook(connection.face)
            except Exception:
                with self.lock:
                    connection.hook_failed(hook, Failure())
                self.flush()
                if self._greeting is not None:
                    raise  # to whoever connects

        if self._greeting is None:
            self._items.append(call)
        elif connection.closed:  # it was never there, as far as the service knows
            self._greeting.clear()
        else:
            self._greeting.append(call)

    def introduced(self) -> None:
        """
        Call the service's ``on_connect``, in this thread: the peer is known.

        Raises:
            Exception: what that raised; the connection is closed then.
        """
        greeting = self._greeting
        for call in greeting or ():
            call()
        self._greeting = None

    def in_thread(self, connection: Any, call: ThreadedCall) -> Deferred[Any]:
        """
        Run a threaded method in a thread of its own.
        """
        outcome: Deferred[Any] = Deferred()
        context = copy_context()  # for current_call()

        def run() -> None:
            try:
                result = context.run(call.execute, connection.face)
            except BaseException:  # it is the peer's to see, whatever it is
                result = Failure()
            with self.lock:
                self.fire(outcome, result)
            self.flush()

        threading.Thread(target=run, name="txremote threaded call", daemon=True).start()
        return outcome

    def ask(self, connection: Any, handler: int, args: tuple[Any, ...]) -> Any:
        """
        Pass a request on, and wait for its answer.
        """
        return self.call(lambda: connection.outbound.ask(handler, args), None)

    def make_face(self, connection: Any) -> Any:
        """
        Return the connection as its user sees it.
        """
        return self._make_face(self, connection)

    def check_thread(self) -> None:
        """
        Allow any thread: the face takes the lock.
        """

    def submit(self, function: Callable[[], Any]) -> None:
        """
        Call a function in the connection's context.
        """
        with self.lock:
            function()
        self.flush()

    # -- what an AsyncResult asks of its driver

    def wait(self, result: Waitable, timeout: float | None) -> None:
        """
        Serve until a result is there, or for some seconds.
        """
        if result.pending:
            refuse_in_reactor()
            waiter = Waiter()
            # behind the requests that came before the result
            result.when_ended(lambda: self._items.append(Answer(waiter, None)))
            self.run_until(waiter, None if timeout is None else monotonic() + timeout)

    def look(self) -> None:
        """
        Serve what has come, without waiting.
        """
        try:
            while self.serve(0):
                continue
        except EOFError:  # every result has been told of that
            return

    def deliver(self, function: Callable[..., None], *args: Any) -> None:
        """
        Queue a call, behind what arrived before.
        """

        def call() -> None:
            self._step_aside()
            function(*args)

        self._items.append(call)

    def present(self, value: Any) -> Any:
        """
        Return a received value with netrefs.
        """
        return self.connection.face.present(value)

    def seconds(self) -> float:
        """
        Return the monotonic time.
        """
        return monotonic()

    def call_later(self, seconds: float, function: Callable[[], None]) -> Callable[[], None]:
        """
        Arrange for a call by whatever thread waits or polls by then, or next.
        """
        entry: list[Any] = [monotonic() + seconds, next(self._numbers), function]
        timers = self._timers
        with self._timing:
            for _ in range(2):  # those that were taken back go as new ones come
                if timers and timers[0][2] is None:
                    heappop(timers)
            heappush(timers, entry)

        def take_back() -> None:
            entry[2] = None

        return take_back

    def _time_left(self, deadline: float | None) -> float | None:
        """
        Return for how long a reader may wait.
        """
        if self._timers:
            with self._timing:
                if self._timers and (deadline is None or self._timers[0][0] < deadline):
                    deadline = self._timers[0][0]
        return None if deadline is None else deadline - monotonic()

    def _call_due(self) -> None:
        """
        Call what has become due.
        """
        timers = self._timers
        while timers and timers[0][0] <= monotonic():
            with self._timing:
                if not timers or timers[0][0] > monotonic():
                    return
                function = heappop(timers)[2]
            if function is not None:
                function()

    # -- calling

    def call(self, send: Callable[[], Deferred[Any]], timeout: float | None) -> Any:
        """
        Send a request, and serve until its answer is there.

        Args:
            send: Sends it; called under the lock.
            timeout: Seconds, or None for ever.

        Returns:
            The answer, with references.

        Raises:
            AsyncResultTimeout: there was none in time. The call is given up.
            WouldBlockReactor: this is the thread of a running reactor.
            Exception: what the call raised.
        """
        refuse_in_reactor()
        check_stack()
        waiter = Waiter()
        items = self._items
        deadline = None if timeout is None else monotonic() + timeout

        def arrived(result: Any) -> None:
            # behind the peer's requests that came before the answer
            items.append(Answer(waiter, result))

        with self.lock:
            deferred = send()
            deferred.addBoth(arrived)
        self.flush(deadline)
        if not self.run_until(waiter, deadline):
            with self.lock:
                deferred.cancel()
            self.flush(monotonic())
            raise AsyncResultTimeout(f"no answer within {timeout:g} s")
        return value_of(waiter.value)

    def _complete(self, waiter: Waiter, result: Any) -> None:
        waiter.value = result
        waiter.done = True
        if not self._sleeping:
            return
        try:
            self._sleeping.remove(waiter)
        except ValueError:  # it does not sleep, or somebody is waking it
            return
        waiter.parked.release()

    # -- serving

    def serve(self, timeout: float | None) -> bool:
        """
        Run one item: a request of the peer's, or an answer of ours.

        Args:
            timeout: How many seconds to wait for one; None for ever.

        Returns:
            Whether there was one.

        Raises:
            EOFError: the connection has ended.
        """
        refuse_in_reactor()
        deadline = None if timeout is None else monotonic() + timeout
        waiter = Waiter()
        try:
            while not self._run_one():
                if not self._get_more(waiter, deadline) and self._nothing_left():
                    if self.connection.closed:
                        raise EOFError(f"the connection has ended: {self.connection.why_ended}")
                    return False
            return True
        finally:  # whoever woke this thread relied on it
            self._wake_one()

    def run_until(self, waiter: Waiter, deadline: float | None) -> bool:
        """
        Serve until a waiter is done.

        Args:
            waiter: What completes it is an item, or another thread.
            deadline: On the monotonic clock, or None.

        Returns:
            Whether it is done; False if the deadline came first.
        """
        while not waiter.done:
            item = self._take()
            if item is not None:
                item()
            elif not self._get_more(waiter, deadline) and self._nothing_left():
                break
        if self.connection.closed:
            self.drain()  # so that the service hears of the end now
        if self._sleeping:
            self._wake_one()
        return waiter.done

    def _nothing_left(self) -> bool:
        """
        Tell whether the queue is empty, and is not just being filled.
        """
        with self.lock:  # held while the end of the connection is told to all
            return not self._items

    def _take(self) -> Callable[[], object] | None:
        """
        Return the next item to run, or None.

        An answer is handed over in the same breath: who finds neither items nor
        its own answer, and so goes to read, can be sure that no other thread has
        that in its hands.
        """
        with self._taking:
            try:
                item = self._items.popleft()
            except IndexError:
                return None
            if type(item) is Answer:
                self._complete(item.waiter, item.value)
                return _delivered
        return item  # type: ignore[no-any-return]

    def _run_one(self) -> bool:
        item = self._take()
        if item is None:
            return False
        item()
        return True

    def _run(self, work: Work) -> None:
        """
        Run a request and send its answer.
        """
        self._step_aside()
        went_well, result = work.execute(self.connection.face)
        with self.lock:
            work.finish(went_well, result)
        self.flush()
        if not went_well and isinstance(result, KeyboardInterrupt):
            raise result  # the user's Ctrl-C, in whatever ran just then

    def _get_more(self, waiter: Waiter, deadline: float | None) -> bool:
        """
        Read, or sleep while another thread does.

        Returns:
            Whether to go on; False if the deadline has come.
        """
        if self._timers:
            self._call_due()
        if self.connection.outbound.has_released:
            with self.lock:
                self.connection.outbound.flush_released()
            self.flush(deadline, waiter)
        if self._reading.acquire(blocking=False):
            try:
                with self._taking:
                    if self._items or waiter.done:
                        return True
                if self.connection.closed:
                    return False
                self._read(self._time_left(deadline))
            finally:
                self._give_back(self._reading)
            if self.transport.out or self.transport.ending is not None:
                self.flush(deadline, waiter)
        else:
            self._sleep(waiter, deadline)
        return bool(self._items) or deadline is None or monotonic() < deadline

    def _read(self, timeout: float | None) -> None:
        """
        Wait for bytes and take them in. Only for the reader.
        """
        try:
            readable = self._channel.wait(timeout, writable=bool(self.transport.out))
        except (OSError, ValueError):  # closed by another thread
            return
        if readable:
            self._take_in()

    def _take_in(self) -> None:
        try:
            data = self._channel.receive_now()
        except OSError as error:
            if not self.connection.closed:
                self._lost(TwistedConnectionLost(str(error)))
            return
        if data is None:
            return
        if data:
            with self.lock:
                self.connection.dataReceived(data)
        else:
            self._lost(ConnectionDone())

    def _sleep(self, waiter: Waiter, deadline: float | None) -> None:
        parked = waiter.parked
        if parked is None:
            parked = waiter.parked = threading.Lock()
            parked.acquire()
        woken = False
        try:
            self._sleeping.append(waiter)
            # Whoever gives the reader's role back, or completes this waiter, looks
            # at the sleepers after it has done so: what is seen here is in time.
            if not (self._items or waiter.done) and self._reading.locked():
                left = -1 if deadline is None else max(0.0, deadline - monotonic())
                woken = parked.acquire(timeout=left)
        except BaseException:  # Ctrl-C: this wait is over
            try:
                self._sleeping.remove(waiter)
            except ValueError:  # it was woken, and passes that on
                self._wake_one()
            raise
        if not woken:
            try:
                self._sleeping.remove(waiter)
            except ValueError:  # somebody took it out to wake it, and will
                parked.acquire()

    def _give_back(self, role: threading.Lock) -> None:
        """
        Give up being the reader, or the sender.
        """
        role.release()
        if self.connection.closed:
            self._close_channel()
        if self._sleeping:
            self._wake_one()

    def _step_aside(self) -> None:
        """
        See to it that another thread looks at what comes: this one is about to
        run somebody's code, for as long as that takes.
        """
        if self._sleeping:
            self._wake_one()

    def _wake_one(self) -> None:
        try:
            waiter = self._sleeping.popleft()
        except IndexError:
            return
        waiter.parked.release()

    def interruptible(self) -> None:
        """
        Allow `interrupt` to end the wait of a reader.
        """
        self._channel.interruptible()

    def interrupt(self, waiter: Waiter) -> None:
        """
        Complete a waiter from another thread.
        """
        waiter.interrupted = True
        self._complete(waiter, None)
        self._channel.interrupt()

    # -- sending

    def flush(self, deadline: float | None = None, waiter: Waiter | None = None) -> None:
        """
        Send what has been written. Any thread, without the lock.

        Args:
            deadline: When to give up waiting for a full socket; what is left
                then goes out with the next flush or read.
            waiter: Gives up, too, when this is interrupted.
        """
        out = self.transport.out
        # Looked at again each time the role has been given back: what another
        # thread wrote meanwhile relied on us.
        while out:
            if not self._sending.acquire(blocking=False):
                return
            try:
                if not self._send(deadline, waiter):
                    return
            finally:
                self._give_back(self._sending)
        if self.transport.ending is not None and not self.connection.closed:
            self._lost(self.transport.ending)

    def _send(self, deadline: float | None, waiter: Waiter | None) -> bool:
        """
        Send until nothing is left. Only for the sender.

        Returns:
            Whether to go on; False if the deadline came, or the end.
        """
        out = self.transport.out
        while out:
            try:
                chunk = out.popleft()
            except IndexError:  # aborted
                break
            try:
                sent = self._channel.send(chunk)
            except OSError as error:
                self._broken(error)
                return False
            if sent < len(chunk):
                out.appendleft(memoryview(chunk)[sent:])
                if not sent:
                    if waiter is not None and waiter.interrupted:
                        return False
                    if not self._wait_to_send(deadline):
                        return False
        return True

    def _broken(self, error: OSError) -> None:
        """
        End the connection, for nothing can be sent any more. What the peer said
        before may tell why: an RPyC 5 hangs up on what it does not understand.
        """
        if not self._reading.acquire(blocking=False):
            return  # whoever reads comes to the end
        try:
            while not self.connection.closed and self._channel.wait(0):
                self._take_in()
        except (OSError, ValueError):  # closed by another thread
            return
        finally:
            self._give_back(self._reading)
        self._lost(TwistedConnectionLost(str(error)))

    def _wait_to_send(self, deadline: float | None) -> bool:
        left = None if deadline is None else deadline - monotonic()
        if left is not None and left <= 0:
            return False
        if not self._reading.acquire(blocking=False):
            # somebody else reads; look again soon, they may stop
            self._channel.wait_writable(0.05 if left is None else min(left, 0.05))
            return True
        try:
            if self._channel.wait(left, writable=True):
                self._take_in()
        except (OSError, ValueError):  # closed by another thread
            return False
        finally:
            self._give_back(self._reading)
        return not self.connection.closed

    # -- ending

    def _lost(self, reason: Exception) -> None:
        with self.lock:
            if self.connection.closed:
                return
            self.transport.out.clear()
            self.connection.connectionLost(Failure(reason))
        self._channel.shutdown()
        self._close_channel()
        for _ in range(len(self._sleeping)):
            self._wake_one()

    def _close_channel(self) -> None:
        """
        Close the channel when nobody is in it any more: its descriptors may be
        another file's from then on. Who is in it calls this on leaving.
        """
        with self._closing:
            if self._reading.acquire(blocking=False):
                if self._sending.acquire(blocking=False):
                    self._channel.close()
                    self._sending.release()
                self._reading.release()
        if self._sleeping:  # it met the reader's role taken
            self._wake_one()

    def close(self) -> None:
        """
        Say good-bye, send what is unsent for `CLOSE_TIMEOUT` seconds at most,
        and close.
        """
        with self.lock:
            if not self.connection.closed:
                # nobody hears it by this Deferred: there may be no thread to
                self.connection.close().addErrback(lambda _failure: None)
        self.flush(monotonic() + CLOSE_TIMEOUT)
        self._lost(ConnectionDone())
        self.drain()

    def drain(self) -> None:
        """
        Run what is left when the connection has ended.
        """
        if self._draining.acquire(blocking=False):  # else it is being done
            try:
                while self._run_one():  # what was waiting hears of the end
                    continue
            finally:
                self._draining.release()

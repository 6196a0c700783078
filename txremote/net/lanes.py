"""
Lanes: a threaded service's requests, in order, in a thread that may block.

A connection whose service is threaded has a lane. Its requests are run one
after the other by one worker thread, with netrefs for references, as RPyC does.
A thread of the pool that waits for a remote call is not lost meanwhile. It runs

1. what comes in its own lane: the peer may call back before it answers;
2. what comes in the lane of the connection it waits on, if nobody is in that;

and it gives its slot in the pool back. So chains of calls, over one connection
or many, do not run dry.

The reactor's thread decodes, encodes and writes; it hands requests to lanes and
answers to those who wait. A thread that waits on a connection of its own lane is
told of its answer through the lane, behind what the peer asked before.

An item that nobody has begun can be taken back. The last one, a connection's
``on_disconnect``, is run behind all others, within none, and waits for a thread if
it has to (`Lane.end`).
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from txremote.errors import AsyncResultTimeout, DeadReferenceError
from txremote.net.workers import TooManyThreads, WorkerPool
from txremote.refs.asyncresult import (
    AsyncResult,
    Waitable,
    in_reactor,
    is_reactor_thread,
    later,
    value_of,
)
from txremote.refs.face import BlockingFace, check_stack, would_block

_log = Logger("txremote")

Item = Callable[[], object]

_here = threading.local()


def _lanes_here() -> list[Lane]:
    """
    Return the lanes whose items are on this thread's stack, the innermost last.
    """
    try:
        return _here.lanes  # type: ignore[no-any-return]
    except AttributeError:
        lanes: list[Lane] = []
        _here.lanes = lanes
        return lanes


class Wait:
    """
    A thread that waits.
    """

    __slots__ = ("awake", "done", "value")

    def __init__(self) -> None:
        self.done = False
        self.value: Any = None
        self.awake = threading.Semaphore(0)

    def complete(self, value: Any) -> None:
        """
        End it, from any thread.
        """
        self.value = value
        self.done = True
        self.awake.release()


class Lane:
    """
    The items of one connection, run one after the other.

    A lane is *owned* while a thread has one of its items on its stack, running
    or waiting. Only that thread may run the next, within the one before.

    Args:
        workers: Whose threads run them.
    """

    def __init__(self, workers: WorkerPool) -> None:
        self._workers = workers
        self._lock = threading.Lock()
        self._items: OrderedDict[object, Item] = OrderedDict()  # by their tickets
        self._last: Item | None = None  # see `end`
        self._owned = False
        self._inside: list[Wait] = []  # waits of the owner, the innermost last
        self._outside: list[Wait] = []  # of threads that would step in

    def __len__(self) -> int:
        return len(self._items)

    def post(self, item: Item) -> object:
        """
        Add an item. Any thread.

        Returns:
            A ticket, for `take_back`.

        Raises:
            TooManyThreads: there is no thread to run it, and none to be had.
        """
        ticket = object()
        with self._lock:
            self._items[ticket] = item
            if self._wake() or self._owned:
                return ticket
            self._owned = True
        try:
            self._workers.submit(self._run)
        except TooManyThreads:
            with self._lock:
                del self._items[ticket]
                if not self._items and self._last is None:
                    self._owned = False
                    raise
            # others have come meanwhile, and rely on us
            self._workers.submit(self._run, patient=True)
            raise
        return ticket

    def take_back(self, ticket: object) -> bool:
        """
        Forget an item that nobody has begun to run. Any thread.

        Returns:
            Whether that was in time.
        """
        with self._lock:
            return self._items.pop(ticket, None) is not None

    def end(self, item: Item) -> None:
        """
        Add what is run behind all others, and never within one of them. Once, by
        any thread; where there is no thread for it, it waits for one.
        """
        with self._lock:
            self._last = item
            for wait in self._inside:  # who waits for the next item waits in vain
                wait.awake.release()
            if self._owned:
                return
            self._owned = True
        self._workers.submit(self._run, patient=True)

    def _wake(self) -> bool:
        """
        Wake a waiting thread that may run the next item, if there is one.
        """
        waiting = self._inside if self._owned else self._outside
        if waiting:
            waiting[-1].awake.release()
        return bool(waiting)

    def _run(self) -> None:
        """
        Run items until there are none, or until it is another lane's turn. In a
        worker thread.
        """
        lanes = _lanes_here()
        lanes.append(self)
        try:
            while True:
                with self._lock:
                    if self._items:
                        _, item = self._items.popitem(last=False)
                    elif self._last is not None:
                        item, self._last = self._last, None
                    else:
                        self._owned = False
                        return
                try:
                    item()
                except BaseException:  # SystemExit in a callback, say: the lane goes on
                    _log.failure("what ran in a lane failed")
                if self._workers.crowded and self._stand_in_line():
                    return
        finally:
            lanes.pop()

    def _stand_in_line(self) -> bool:
        """
        Let those go first that wait for a thread; the lane stays owned meanwhile.
        """
        try:
            self._workers.submit(self._run)
        except TooManyThreads:
            return False
        return True

    def enter(self, wait: Wait, inside: bool) -> None:
        """
        Offer a waiting thread to run what comes.

        Args:
            wait: Its wait.
            inside: Whether it owns the lane.
        """
        with self._lock:
            (self._inside if inside else self._outside).append(wait)

    def leave(self, wait: Wait, inside: bool) -> None:
        """
        Take the offer back; what has come meanwhile is for another thread.
        """
        with self._lock:
            (self._inside if inside else self._outside).remove(wait)
            if not self._items or self._wake() or self._owned:
                return
            self._owned = True
        self._workers.submit(self._run, patient=True)

    def take(self, inside: bool) -> Item | None:
        """
        Return the next item for a waiting thread, or None.

        Args:
            inside: Whether the thread owns the lane. If not, and there is an
                item, it does from now on, until `give_back`.
        """
        with self._lock:
            if not self._items or (self._owned and not inside):
                return None
            self._owned = True
            return self._items.popitem(last=False)[1]

    def give_back(self) -> None:
        """
        Step out of a lane that `take` stepped into; what came meanwhile is for
        the next who asks, the same thread perhaps.
        """
        with self._lock:
            if self._last is None:
                self._owned = False
                return
        self._workers.submit(self._run, patient=True)


class WorkerFace(BlockingFace):
    """
    A reactor's connection for worker threads (see `BlockingFace`).

    Args:
        protocol: The connection.
        reactor: The reactor it lives in.
        workers: The pool whose threads serve lanes while they wait.
        lane: The connection's lane, if its service is threaded.
    """

    def __init__(self, protocol: Any, reactor: Any, workers: WorkerPool, lane: Lane | None) -> None:
        super().__init__(protocol)
        self._reactor = reactor
        self._workers = workers
        self._lane = lane

    def _ask(self, send: Callable[[], Deferred[Any]], timeout: float | None) -> Any:
        self._refuse_in_reactor()
        check_stack()
        if self.protocol.closed:  # its reactor may have ended, too
            raise DeadReferenceError(f"the connection has ended: {self.protocol.why_ended}")
        wait = Wait()
        ordered = self._lane in _lanes_here()
        sent: list[Deferred[Any]] = []

        def arrived(result: Any) -> None:
            if ordered:
                _post_completion(self._lane, wait, result)
            else:
                wait.complete(result)

        def start() -> None:
            try:
                deferred = send()
            except Exception:  # it must not be lost in the reactor
                wait.complete(Failure())
                return
            sent.append(deferred)
            deferred.addBoth(arrived)

        self._reactor.callFromThread(start)
        if not self._wait_for(wait, timeout):
            self._reactor.callFromThread(_cancel_all, sent)
            raise AsyncResultTimeout(f"no answer within {timeout:g} s")
        return value_of(wait.value)

    def _refuse_in_reactor(self) -> None:
        if is_reactor_thread(self._reactor):
            raise would_block()

    def _wait_for(self, wait: Wait, timeout: float | None) -> bool:
        """
        Wait, and run what comes in the lanes meanwhile.

        Args:
            wait: What is waited for.
            timeout: Seconds, or None.

        Returns:
            Whether it is done.
        """
        deadline = None if timeout is None else monotonic() + timeout
        pooled = self._workers.owns_this_thread()
        here = _lanes_here()
        # whether this thread is in it, for each lane; the innermost comes first
        lanes = dict.fromkeys(reversed(here), True) if pooled else {}
        outside = self._lane if pooled and self._lane not in lanes else None
        if outside is not None:
            lanes[outside] = False
        for lane, inside in lanes.items():
            lane.enter(wait, inside)
        if pooled:
            self._workers.begin_wait()
        try:
            while not wait.done:
                item = None
                for lane, inside in lanes.items():
                    item = lane.take(inside)
                    if item is not None:
                        break
                if item is None:
                    left = None if deadline is None else deadline - monotonic()
                    if left is not None and left <= 0:
                        break
                    wait.awake.acquire(timeout=left)
                    continue
                self._workers.end_wait()
                # For as long as this takes, nobody is to rely on this thread for
                # the lane that it has only offered to step into.
                if outside is not None:
                    outside.leave(wait, False)
                # run in here: calls nest, and each frame of ours is one less
                # for them
                here.append(lane)
                try:
                    item()
                except BaseException:  # SystemExit in a callback, say: no affair of ours
                    _log.failure("what ran in a lane failed")
                finally:
                    here.pop()
                    if not inside:
                        lane.give_back()
                    if outside is not None:
                        outside.enter(wait, False)
                    self._workers.begin_wait()
        finally:
            if pooled:
                self._workers.end_wait()
            for lane, inside in lanes.items():
                lane.leave(wait, inside)
        return wait.done

    def _begin(self, send: Callable[[], Deferred[Any]]) -> AsyncResult:
        waiting: Deferred[Any] = Deferred()
        result = AsyncResult(waiting, LaneDriver(self))

        def start() -> None:
            try:
                send().addBoth(waiting.callback)
            except Exception:  # it must not be lost in the reactor
                waiting.errback(Failure())

        in_reactor(self._reactor, start)
        return result

    # -- RPyC's names

    def serve(self, timeout: float | None = 1, wait_for_lock: bool = True) -> bool:
        """
        Run one request of this connection's lane, if it comes in time.

        For a thread that runs a request of it already: others come anyway.

        Args:
            timeout: Seconds; None for ever.
            wait_for_lock: RPyC's; has no effect.

        Returns:
            Whether there was one.

        Raises:
            EOFError: the connection has ended.
        """
        if self.closed:
            raise EOFError(f"the connection has ended: {self.protocol.why_ended}")
        lane = self._lane
        if lane is None or lane not in _lanes_here():
            return False
        item = lane.take(True)
        if item is None:
            wait = Wait()
            lane.enter(wait, True)
            self._workers.begin_wait()
            self.protocol.runner.polling += 1
            self._reactor.callFromThread(self._let_in)
            try:
                if not self.closed:  # else nobody may wake us any more
                    wait.awake.acquire(timeout=timeout)
            finally:
                self.protocol.runner.polling -= 1
                self._workers.end_wait()
                lane.leave(wait, True)
            item = lane.take(True)
        if item is None:
            if self.closed:
                raise EOFError(f"the connection has ended: {self.protocol.why_ended}")
            return False
        item()
        return True

    def _let_in(self) -> None:
        if not self.closed:  # what is over max_calls waits before the lane
            self.protocol.flow.peer_needed()

    def poll(self, timeout: float | None = 0) -> bool:
        """
        Do as `serve`.
        """
        return self.serve(timeout)

    def poll_all(self, timeout: float = 0) -> bool:
        """
        Run the requests of this connection's lane that come within some seconds.
        """
        deadline = monotonic() + timeout
        served = False
        while not self.closed and self.serve(max(0.0, deadline - monotonic())):
            served = True
        return served

    def close(self) -> None:
        """
        Close the connection, without waiting for that.
        """
        in_reactor(self._reactor, self.protocol.close)


def _cancel_all(deferreds: list[Deferred[Any]]) -> None:
    for deferred in deferreds:
        deferred.cancel()


def _post_completion(lane: Lane | None, wait: Wait, result: Any) -> None:
    assert lane is not None
    try:
        lane.post(partial(wait.complete, result))
    except TooManyThreads:  # then without the order
        wait.complete(result)


class LaneDriver:
    """
    How an `AsyncResult` of a `WorkerFace` waits (a `Driver`).

    Args:
        face: The face.
    """

    def __init__(self, face: WorkerFace) -> None:
        self._face = face

    def wait(self, result: Waitable, timeout: float | None) -> None:
        """
        Wait in this thread, serving lanes.
        """
        face = self._face
        face._refuse_in_reactor()
        ordered = face._lane in _lanes_here()
        wait = Wait()

        def ended() -> None:
            if ordered:
                _post_completion(face._lane, wait, None)
            else:
                wait.complete(None)

        result.when_ended(ended)
        face._wait_for(wait, timeout)

    def look(self) -> None:
        """
        Do nothing: the reactor brings what comes.
        """

    def deliver(self, function: Callable[..., None], *args: Any) -> None:
        """
        Run callbacks in the connection's lane, or in a thread of the pool.
        """
        item = partial(function, *args)
        try:
            if self._face._lane is not None:
                self._face._lane.post(item)
            else:
                self._face._workers.submit(item)
        except TooManyThreads as problem:
            _log.error("callbacks were not run: {problem}", problem=problem)

    def present(self, value: Any) -> Any:
        """
        Return a received value with netrefs.
        """
        return self._face.present(value)

    def seconds(self) -> float:
        """
        Return the reactor's time.
        """
        return float(self._face._reactor.seconds())

    def call_later(self, seconds: float, function: Callable[[], None]) -> Callable[[], None]:
        """
        Arrange for a call by the reactor.
        """
        return later(self._face._reactor, seconds, function)

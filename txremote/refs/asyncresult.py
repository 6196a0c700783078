"""
`AsyncResult`: RPyC's view of a result that is still to come, over any Deferred.

A result *ends* once: with a value, an exception, or its expiry, which fires too (RPyC's never
does): callbacks run and `deferred` fails with `AsyncResultTimeout`. A value that comes later
is dropped.

It can be awaited in any thread, also in one whose asyncio loop knows nothing of the connection.

An exception that is never read is not logged, as in RPyC: a callback that was called through
`async_` is an event, and often no code reads its result. To have Twisted's "unhandled error"
log, take `deferred`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from typing import Any, Literal, TypeAlias

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.components import registerAdapter
from twisted.python.failure import Failure
from zope.interface import implementer

from txremote.errors import AsyncResultTimeout, RemoteStopIteration
from txremote.interfaces import IAsyncResult
from txremote.levels import Logger
from txremote.refs.awaiting import AwaitableDeferred, Yielded, task_loop, until_noted
from txremote.refs.driver import Driver, ReactorDriver
from txremote.refs.operators import refuses_operators
from txremote.refs.ports import Answer
from txremote.refs.reactorthread import is_reactor_thread, reactor_here
from txremote.refs.received import settled

_log = Logger("txremote")

State: TypeAlias = Literal["pending", "ready", "error", "expired"]


@refuses_operators("and an AsyncResult is none: read its value, which waits, or await it")
@implementer(IAsyncResult)
class AsyncResult:
    """
    A result that is still to come (``rpyc.core.async_.AsyncResult``).

    Args:
        deferred: Brings the result; this object owns it from now on.
        driver: How to wait for the result and how to time it.
        cancel: Cancels the call, from any thread: nobody waits for it any more.

    `add_callback`, `set_expiry` and the properties may be used from any thread;
    callbacks run where the result arrives.
    """

    __slots__ = (
        "__weakref__",
        "_callbacks",
        "_cancel",
        "_deadline",
        "_driver",
        "_hooks",
        "_result",
        "_state",
        "_timer",
        "_undelivered",
        "_unended",
    )

    def __init__(
        self,
        deferred: Answer,
        driver: Driver | None = None,
        cancel: Callable[[], object] | None = None,
    ) -> None:
        self._driver: Driver = driver if driver is not None else ReactorDriver()
        self._cancel = cancel
        self._state: State = "pending"
        self._result: object = None
        self._hooks: deque[Callable[[], object]] = deque()
        self._unended = [True]  # the thread that pops it ends the result; a flag is not atomic
        self._callbacks: deque[Callable[[AsyncResult], object]] = deque()
        self._undelivered = False  # whether the callbacks are due and have not begun
        self._deadline: float | None = None
        self._timer: Callable[[], None] | None = None
        deferred.addBoth(self._arrived)

    # -- how it ends

    def _arrived(self, result: object) -> None:
        self._check_deadline(look=False)  # a busy loop may read the answer before its own timer
        self._end("error" if isinstance(result, Failure) else "ready", result)

    def _expire(self) -> None:
        self._end("expired", Failure(AsyncResultTimeout("result expired")))

    def _give_up(self) -> None:
        """End it, and the call, for the code that awaited it was cancelled."""
        cancel = self._cancel
        self._end("error", Failure(CancelledError()))
        if cancel is not None:
            cancel()

    def _end(self, state: State, result: object) -> None:
        try:
            self._unended.pop()
        except IndexError:  # it has ended already, perhaps in another thread just now
            return
        self._result = result
        self._state = state
        self._cancel = None
        timer, self._timer = self._timer, None
        if timer is not None and state != "expired":
            timer()
        try:
            if self._callbacks:  # first: they have run when a wait is over, as in RPyC
                self._undelivered = True
                self._driver.deliver(self._run_callbacks)
        finally:
            self._run_hooks()

    def _run_hooks(self) -> None:
        while self._hooks:
            try:
                hook = self._hooks.popleft()
            except IndexError:  # another thread was first
                return
            hook()

    def _run_callbacks(self) -> None:
        self._undelivered = False
        # taken out one by one: each runs once, even if it is added in one thread while the
        # result arrives in another
        while self._callbacks:
            try:
                callback = self._callbacks.popleft()
            except IndexError:
                return
            try:
                callback(self)
            except Exception:
                # a callback is the user's, and the others must run all the same
                _log.failure("a callback of {result!r} failed", result=self)

    def _check_deadline(self, look: bool = True) -> None:
        if (
            self._deadline is not None
            and self._state == "pending"
            and self._driver.seconds() >= self._deadline
        ):
            self._expire()
            if look:
                self._driver.serve_arrived()  # in a script the callbacks wait there

    # -- RPyC's names

    @property
    def ready(self) -> bool:
        """Whether there is a value or an exception. A script first serves what has arrived."""
        self._check_deadline()
        if self._state == "pending" or self._undelivered:
            self._driver.serve_arrived()
        return self._state in ("ready", "error")

    @property
    def error(self) -> bool:
        """Whether there is an exception. Looks at the connection as `ready` does."""
        return self.ready and self._state == "error"

    @property
    def expired(self) -> bool:
        """Whether the expiry came before the result."""
        self._check_deadline()
        return self._state == "expired"

    @property
    def value(self) -> Any:
        """
        The value. Waits for it where that is possible.

        Raises:
            AsyncResultTimeout: the result expired.
            WouldBlockReactor: it is not there yet and this is the thread that
                would have to fetch it.
            Exception: the exception that the call raised.
        """
        self.wait()
        if self._state == "error":
            assert isinstance(self._result, Failure) and self._result.value is not None
            raise stop_iteration(self._result.value)
        return self._driver.convert(self._result)

    def wait(self) -> None:
        """Wait until it is there. Raises as `value` does, but for the call's own exception."""
        self._check_deadline()
        if self._state == "pending":
            left = None
            if self._deadline is not None:
                left = max(0.0, self._deadline - self._driver.seconds())
            self._driver.wait(self, left)
            self._check_deadline()
            if self._state == "pending" and self._deadline is not None:
                self._expire()
                self._driver.serve_arrived()
        elif self._undelivered:  # it came with another that was waited for
            self._driver.serve_arrived()
        if self._state == "expired":
            raise AsyncResultTimeout("result expired")

    def add_callback(self, func: Callable[[AsyncResult], object]) -> None:
        """Call ``func(result)`` when it has a value, an exception or expired; at once if it has."""
        self._check_deadline()
        self._callbacks.append(func)
        if self._state != "pending":
            self._run_callbacks()

    def set_expiry(self, timeout: float | None) -> None:
        """Expire some seconds from now; None: never, which also cancels an earlier expiry."""
        if self._timer is not None:
            self._timer()
            self._timer = None
        if timeout is None:
            self._deadline = None
            return
        self._deadline = self._driver.seconds() + timeout
        if self._state == "pending":
            self._timer = self._driver.call_later(max(0.0, timeout), self._expire)

    # -- for Twisted programs

    @property
    def pending(self) -> bool:
        """Whether it has neither a value, nor an exception, nor expired yet. Serves nothing."""
        return self._state == "pending"

    def when_ended(self, hook: Callable[[], object]) -> None:
        """
        Call a function the moment the result ends, in the thread that ends it; at once if it
        has. For internal use: it may not block, and may run under a connection's lock.
        """
        self._hooks.append(hook)
        if self._state != "pending":
            self._run_hooks()

    @property
    def deferred(self) -> Answer:
        """A new Deferred of the result; it fails with the exception or `AsyncResultTimeout`."""
        return self._fires(AwaitableDeferred())

    def _fires(self, waiting: Answer) -> Answer:
        """Have a Deferred fire with the result, in a reactor's thread if this is one; return it."""
        reactor = reactor_here()

        def fire(result: AsyncResult) -> None:
            # that of a script comes in a thread of its own
            if reactor is not None and not is_reactor_thread(reactor):
                reactor.callFromThread(give, result._result)
            else:
                give(result._result)

        def give(value: object) -> None:
            if not waiting.called:
                waiting.callback(settled(value))

        self.add_callback(fire)
        if self._state == "pending":
            self._driver.expect(self)
        return waiting

    def __await__(self) -> Generator[Yielded, Any, Any]:
        self._check_deadline()
        if self._state == "pending":
            loop = task_loop()
            if loop is not None:
                yield from until_noted(loop, self._expect, self._give_up)
        if self._state == "pending":  # no task drives this, but Twisted
            waiting: Answer = Deferred(lambda _waiting: self._give_up())
            return (yield from self._fires(waiting).__await__())
        if isinstance(self._result, Failure):
            self._result.raiseException()
        return settled(self._result)

    def _expect(self, note: Callable[[AsyncResult], AsyncResult]) -> None:
        self.add_callback(note)
        if self._state == "pending":
            self._driver.expect(self)

    def __repr__(self) -> str:
        self._check_deadline(look=False)
        return f"<AsyncResult object ({self._state}) at 0x{id(self):08x}>"


def value_of(result: object) -> Any:
    """Return, or raise, the result that a Deferred fired with, to code that does not await."""
    if type(result) is Failure:
        assert result.value is not None
        raise stop_iteration(result.value)
    return result


def stop_iteration(error: BaseException) -> BaseException:
    """Return an exception as code gets it that does not await."""
    if isinstance(error, RemoteStopIteration):
        return StopIteration(*error.args)
    return error


registerAdapter(AsyncResult, Deferred, IAsyncResult)

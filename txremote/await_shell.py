"""
``txremote shell --await``: a prompt that takes ``await``, with a connection in it.

The prompt and its line editor wait for the user in the main thread. Twisted's asyncio reactor runs
meanwhile in a thread of its own, so events come and keepalives are answered, and each statement
runs there: in an asyncio task that takes Deferreds too (`txremote.peer.asyncio_steps`). So all
that a program with a reactor or with `txremote.aio` says can be typed, as in the tutorial.

Ctrl-C reaches the main thread. It cancels what the statement awaits, and with it the call at the
peer; a statement that does not await is interrupted where it is. Ctrl-D closes the connection.

IPython is not used: it runs what has no ``await`` outside the loop, where no call can be made.
"""

from __future__ import annotations

import ast
import asyncio
import code
import concurrent.futures
import ctypes
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Coroutine
from contextlib import suppress
from inspect import Signature, iscoroutine
from queue import SimpleQueue
from types import CodeType, FunctionType, TracebackType
from typing import Any, Final

from twisted.internet import asyncioreactor
from twisted.internet.defer import CancelledError, Deferred

from txremote.console.history import line_before, use_readline
from txremote.errors import ConnectionLost
from txremote.peer.asyncio_steps import deferred_of
from txremote.peer.connection import Connection
from txremote.reaching import Server
from txremote.refs.awaiting import succeeded
from txremote.refs.operations import dir_remote, signature_remote
from txremote.refs.reference import LateReference, RemotePath, RemoteReference
from txremote.refs.stacks import nothing_collected
from txremote.running import reach
from txremote.shell import DELIMITERS, HISTORY, Completer
from txremote.wire.consts import HANDLE_INSPECT

#: The file of what is typed, in tracebacks.
_TYPED: Final = "<console>"

#: Seconds that the peer has to tell its names to the Tab key; and that leaving may take.
_TAB: Final = 2.0
_LEAVING: Final = 5.0

_STOPPED: Final = "the event loop was stopped: nothing can be called"

#: Seconds in which the loop hears of Ctrl-C, unless a statement holds it up.
_HEARD: Final = 0.3


class LoopThread:
    """Twisted's asyncio reactor in a thread of its own: the first reactor of its process."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        asyncioreactor.install(self._loop)
        from twisted.internet import reactor

        self.reactor: Any = reactor
        self._outcome: concurrent.futures.Future[object] | None = None  # what is waited for
        self._over = False
        self._thread = threading.Thread(target=self._run, name="reactor", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._run_reactor()
        finally:
            self._over = True
            if self._outcome is not None:
                _end(self._outcome, SystemExit(_STOPPED))

    def _run_reactor(self) -> None:
        run = self.reactor.run
        while True:
            try:
                run(False)
                return
            except KeyboardInterrupt as error:  # it was meant for a statement that was just ending
                if self._outcome is not None:
                    _end(self._outcome, error)
                run = lambda _no_signals: self._loop.run_forever()  # noqa: E731

    def call(self, function: Callable[[], object]) -> Any:
        """
        Call a function in the loop, and wait for its result, or for that of its coroutine. For
        the main thread.

        Raises:
            KeyboardInterrupt: Ctrl-C was pressed, and it has ended since.
            SystemExit: The reactor was stopped, by what was typed.
            BaseException: Whatever it raised.
        """
        outcome: concurrent.futures.Future[object] = concurrent.futures.Future()
        self._outcome = outcome
        if self._over:  # asked after it is noted: then it is refused here or there
            _end(outcome, SystemExit(_STOPPED))
        running: list[Deferred[object]] = []

        async def finish(coroutine: Coroutine[Any, Any, object]) -> None:
            try:
                outcome.set_result(await coroutine)
            except BaseException as error:  # here, where it still has its traceback
                _end(outcome, error)

        def begin() -> None:
            try:
                result = function()
                if iscoroutine(result):
                    running.append(deferred_of(finish(result)).addErrback(lambda _cancelled: None))
                else:
                    outcome.set_result(result)
            except BaseException as error:
                _end(outcome, error)

        return self._wait(outcome, begin, running)

    def _wait(
        self,
        outcome: concurrent.futures.Future[object],
        begin: Callable[[], None],
        running: list[Deferred[object]],
    ) -> object:
        """
        Have the loop begin, and wait for the outcome. Ctrl-C raises nothing here meanwhile: an
        exception between two of these lines would leave the statement running, and alone.
        """
        news: SimpleQueue[bool] = SimpleQueue()  # a signal's handler may put into it
        interrupted = False
        before = signal.signal(signal.SIGINT, lambda _number, _frame: news.put(False))
        try:
            self._loop.call_soon_threadsafe(begin)
            outcome.add_done_callback(lambda _outcome: news.put(True))
            while not news.get():
                interrupted = True
                self._interrupt(running)
        finally:
            signal.signal(signal.SIGINT, before)
        try:
            return outcome.result()
        except (asyncio.CancelledError, CancelledError):
            if interrupted:
                raise KeyboardInterrupt from None
            raise

    def _interrupt(self, running: list[Deferred[object]]) -> None:
        """
        Cancel what is awaited. A statement that leaves the loop no time has an exception raised
        in it: not at once, for it may just be in the midst of sending a call.
        """
        heard = threading.Event()

        def cancel() -> None:
            heard.set()
            for each in running:
                each.cancel()

        self._loop.call_soon_threadsafe(cancel)
        if heard.wait(_HEARD):
            return
        thread = self._thread.ident or 0
        with nothing_collected():
            frame = sys._current_frames().get(thread)
            while frame is not None and frame.f_code.co_filename != _TYPED:
                frame = frame.f_back
        if frame is not None:
            raised = ctypes.py_object(KeyboardInterrupt)
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), raised)

    def stop(self) -> None:
        """Cancel all tasks and end the reactor; wait for that, but not for ever."""

        def stop() -> None:
            for task in asyncio.all_tasks(self._loop):
                task.cancel()
            self._loop.call_soon(self.reactor.stop)

        self._loop.call_soon_threadsafe(stop)
        self._thread.join(_LEAVING)


def _end(outcome: concurrent.futures.Future[object], error: BaseException) -> None:
    """Have an outcome be an exception, unless there is one."""
    with suppress(concurrent.futures.InvalidStateError):
        outcome.set_exception(error)


class AwaitConsole(code.InteractiveConsole):
    """Python's prompt, whose statements run in a `LoopThread` and may await."""

    def __init__(self, names: dict[str, Any], thread: LoopThread) -> None:
        super().__init__(names, filename=_TYPED)
        self.compile.compiler.flags |= ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        self._names = names
        self._thread = thread

    def runcode(self, code: CodeType) -> None:
        """Run a statement to its end; show what it raises."""
        try:
            self._thread.call(FunctionType(code, self._names))
        except (SystemExit, KeyboardInterrupt):  # the prompt's own loop sees to these
            raise
        except BaseException as error:
            shown = error.with_traceback(_from_typed(error.__traceback__))
            self.write("".join(traceback.format_exception(shown)))


def _from_typed(trace: TracebackType | None) -> TracebackType | None:
    """Return a traceback from the statement that was typed on, without what ran it."""
    while trace is not None and trace.tb_frame.f_code.co_filename != _TYPED:
        trace = trace.tb_next
    return trace


class RemoteModules:
    """
    A classic server's modules, by name: ``await modules.os.getcwd()``, or
    ``modules["os.path"]``. Each is fetched when it is first used.
    """

    __iter__ = __contains__ = None

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._known: dict[str, RemoteReference] = {}

    def __getitem__(self, name: str) -> RemotePath:
        def keep(module: RemoteReference) -> RemoteReference:
            self._known[name] = module
            return module

        def fetch() -> Any:
            if name in self._known:
                return succeeded(self._known[name])
            found: Any = self._connection.root.getmodule(name)
            return found.addCallback(keep)

        late = LateReference(fetch, self._connection.executor, f"the module {name}")
        return RemotePath(late, ())

    def __getattr__(self, name: str) -> RemotePath:
        if name.startswith("__"):  # copy, pickle and the like look for these
            raise AttributeError(name)
        return self[name]


class AwaitCompleter(Completer):
    """Completes names; the peer is asked for those of its objects."""

    def __init__(
        self, names: dict[str, object], before: Callable[[], str], thread: LoopThread
    ) -> None:
        super().__init__(names, before)
        self._thread = thread

    def names_of(self, base: str) -> list[str]:
        """Return the names that what is written has, of a remote object those at the peer."""

        async def ask() -> list[str]:
            value: Any = self.evaluate(base)
            if not isinstance(value, RemoteReference | RemotePath):
                return dir(value)
            async with asyncio.timeout(_TAB):
                return list(await dir_remote(value))

        found: list[str] = self._thread.call(ask)
        return found

    def signature(self, called: str) -> Signature | None:
        """Return the signature of what is written, or None."""

        async def ask() -> Signature | None:
            value: Any = self.evaluate(called)
            if not isinstance(value, RemoteReference | RemotePath):
                return super(AwaitCompleter, self).signature(called)
            async with asyncio.timeout(_TAB):
                return await signature_remote(value)

        found: Signature | None = self._thread.call(ask)
        return found


async def _open(server: Server, reactor: Any) -> tuple[Connection, dict[str, object]]:
    """Connect to a server; return the connection, and what is in scope."""
    connection = await reach(server, reactor)
    root = connection.root
    names: dict[str, object] = {"conn": connection, "root": root}
    assert isinstance(root, RemoteReference)
    methods = await connection.request(HANDLE_INSPECT, root._pack)
    if any(method[0] == "getmodule" for method in methods):
        modules = RemoteModules(connection)
        names.update(modules=modules, builtins=modules.builtins)
    connection.when_disconnected().addCallback(_tell_end, connection)
    return connection, names


def _tell_end(_how: object, connection: Connection) -> None:
    if not connection.why_ended.startswith("this side "):
        sys.stderr.write(f"\nThe connection has ended: {connection.why_ended}\n")


def run_await_shell(server: Server) -> None:
    """
    Connect to a server; read, run and print until the user leaves.

    Raises:
        NotReached: There is no connection.
        KeyboardInterrupt: Ctrl-C, as long as there is none.
    """
    thread = LoopThread()
    try:
        connection, names = thread.call(lambda: _open(server, thread.reactor))
        console = AwaitConsole({"__name__": "__console__", "__doc__": None, **names}, thread)
        completer = AwaitCompleter(console._names, line_before, thread)
        peer = connection.transport and connection.transport.getPeer()
        save = use_readline(completer.complete, HISTORY, DELIMITERS)
        try:
            console.interact(
                f"Connected to {peer}. In scope: {', '.join(names)}. await works here.", exitmsg=""
            )
        finally:
            save()
            thread.call(lambda: _close(connection))
    finally:
        thread.stop()


async def _close(connection: Connection) -> None:
    try:
        await connection.close()
    except ConnectionLost:  # it had ended
        return

"""
``txremote tasks``: the tasks of a server, from a command line.

Each action is a call of the server's `TaskService`. With ``--follow`` the task's output is printed
as it comes. Ctrl-C leaves the task alone.

Exit status: 0 done, 1 the task was aborted or killed, or there is none, 2 the server could not be
asked, 130 detached by Ctrl-C.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from contextlib import suppress
from typing import Any, TextIO

from twisted.internet.defer import CancelledError, Deferred, FirstError, gatherResults
from twisted.internet.interfaces import IReactorCore

from txremote.errors import ConnectionLost
from txremote.peer.connection import Connection
from txremote.printing import NotPrinted, complain, put, put_lines
from txremote.refs.clock import steady
from txremote.refs.operations import repr_remote
from txremote.tasks.states import ABORTED, FINAL, FINISHED
from txremote.tasks.stepping import Figures
from txremote.wire.exceptions import without_remote_traceback
from txremote.wire.naming import printable

DONE, FAILED, NOT_ASKED, DETACHED = 0, 1, 2, 130


class Bar:
    """
    A progress bar under the lines of a task, where there is a terminal for one.

    Args:
        out: For the lines.
        err: For the bar.
        counted: For how many seconds the task's progress has counted already.
        prefix: Text that the lines, and the bar, begin with.
        position: How many bars there are above it.
    """

    def __init__(
        self, out: TextIO, err: TextIO, counted: float = 0.0, prefix: str = "", position: int = 0
    ) -> None:
        self._out = out
        self._err = err
        self._counted = counted
        self._prefix = prefix
        self._position = position
        self._bar: Any = None
        self._make = _bar_maker() if err.isatty() else None

    def show(self, lines: tuple[str, ...], progress: Figures | None) -> None:
        """Print lines, and redraw the bar beneath them."""
        text = "".join(f"{self._prefix}{line}\n" for line in lines)
        if text and self._make is not None:
            with suppress(OSError):  # which put() tells
                self._make.write(text, file=self._out, end="")  # clears the bars, and redraws them
            text = ""
        put(text, self._out)
        if progress is not None and self._make is not None:
            self._draw(self._make, *progress)

    def _draw(self, make: Any, done: float, total: float | None, text: str) -> None:
        if self._bar is None:
            # smoothing=0: the rate is the average since `start_t`, as the server has it
            self._bar = make(
                total=total,
                file=self._err,
                dynamic_ncols=True,
                smoothing=0,
                position=self._position,
            )
            self._bar.start_t -= self._counted
        elif done < self._bar.n:  # it counts anew
            self._bar.start_t = self._bar._time()
        self._bar.total, self._bar.n = total, done
        self._bar.set_description_str(f"{self._prefix}{text}", refresh=False)
        self._bar.refresh()

    def close(self) -> None:
        """Leave the bar as it is, and go to the next line."""
        if self._bar is not None:
            self._bar.close()


def _bar_maker() -> Any:
    try:
        from tqdm import tqdm  # type: ignore[import-untyped]
    except ImportError:
        complain("for a progress bar: pip install 'txremote[console]'")
        return None
    return tqdm


async def _show(task: Any) -> None:
    """Print a task's words and state."""
    put(f"{printable(await repr_remote(task))}\n")


async def run(reactor: IReactorCore, connection: Connection, options: Namespace) -> int:
    """Do as the command line says, with the action's ``word``; return the exit status."""
    server, timeout = options.server, options.timeout
    try:
        asking = Deferred.fromCoroutine(_ask(connection.root, options))
        tasks = await asking.addTimeout(timeout, steady(reactor))
        return await _follow_all(connection, tasks) if tasks else DONE
    except CancelledError:
        return DETACHED
    except (ConnectionLost, TimeoutError) as problem:
        complain(str(problem) or f"no answer within {timeout:g} s")
        return NOT_ASKED
    except LookupError as problem:  # there is no such task, or container
        complain(str(problem.args[0]))
        return FAILED
    except AttributeError:
        complain(f"what {server} serves is no TaskService: it has no {options.action}")
        return NOT_ASKED
    except NotPrinted:
        raise
    except Exception as problem:  # the server's, of any kind
        complain(without_remote_traceback(problem))
        return NOT_ASKED


async def _ask(root: Any, options: Namespace) -> list[Any]:
    """Make the call and print its result; return the tasks to be followed."""
    word = options.word
    if options.action == "list":
        await _list(root, word)
    elif options.action == "submit":
        line = word[0] if len(word) == 1 else tuple(word)
        task = await root.submit(line, options.container)
        if await task.foreground:
            return [task]
        await _show(task)
        return [task] if options.follow else []
    elif options.action == "kill":
        await _show(await root.kill(word))
    else:
        found = [await root.find(no) for no in word or (-1,)]
        for task in found:
            await _show(task)
            if not options.follow:
                put_lines(await task.output())
        return found if options.follow else []
    return []


async def _list(root: Any, status: str | None) -> None:
    """Print a line for each task."""
    status = status and status.upper()
    try:
        rows = await root.rows(status)
    except AttributeError:  # a server of 0.1
        rows = [await repr_remote(task) for task in await root.list(status)]
    put_lines(printable(text) for text in rows)


async def _follow_all(connection: Connection, tasks: list[Any]) -> int:
    """Print the output of some tasks until they have ended; the first that fails is the status."""
    several = len(tasks) > 1
    following = [
        Deferred.fromCoroutine(_follow(connection, task, position if several else None))
        for position, task in enumerate(tasks)
    ]
    try:
        statuses = await gatherResults(following, consumeErrors=True)
    except FirstError as problem:
        problem.subFailure.raiseException()
    finally:
        for each in following:
            each.cancel()
    return max(statuses)


async def _counted_for(task: Any) -> float:
    try:
        seconds, _rate, _left = await task.pace
    except AttributeError:  # a server of 0.1
        return 0.0
    return float(seconds)


async def _follow(connection: Connection, task: Any, position: int | None) -> int:
    """Print a task's output until it has ended; with a position there are others."""
    no = await task.no
    counted = await _counted_for(task) if sys.stderr.isatty() else 0.0
    prefix = "" if position is None else f"{no}| "
    bar = Bar(sys.stdout, sys.stderr, counted, prefix, position or 0)
    ended: Deferred[str] = Deferred()

    def on_news(lines: tuple[str, ...], status: str, progress: Figures | None) -> None:
        try:
            bar.show(lines, progress)
        except NotPrinted as problem:  # it would be the server's
            if not ended.called:
                ended.errback(problem)
        if status in FINAL and not ended.called:
            ended.callback(status)

    def lost(how: BaseException) -> None:
        if not ended.called:
            ended.errback(ConnectionLost(f"the connection was lost: {how}"))

    connection.when_disconnected().addCallback(lost)
    try:
        await task.subscribe(on_news)
        status = await ended
    except CancelledError:
        bar.close()
        complain(f"detached: task {no} goes on (txremote tasks SERVER output {no} --follow)")
        raise
    finally:
        bar.close()
    if status == FINISHED:
        return DONE
    if status != ABORTED or await task.error:  # else the output has said it
        complain(await task.error or await repr_remote(task))
    return FAILED

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
from typing import Any, TextIO

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorCore

from txremote.errors import ConnectionLost
from txremote.peer.connection import Connection
from txremote.refs.clock import steady
from txremote.refs.operations import repr_remote
from txremote.tasks.states import ABORTED, FINAL, FINISHED
from txremote.tasks.stepping import Figures

DONE, FAILED, NOT_ASKED, DETACHED = 0, 1, 2, 130


class Bar:
    """A progress bar under the lines of a task, where there is a terminal for one."""

    def __init__(self, out: TextIO, err: TextIO, counted: float = 0.0) -> None:
        """``counted``: for how many seconds the task's progress has counted already."""
        self._counted = counted
        self._out = out
        self._err = err
        self._bar: Any = None
        self._make = _bar_maker() if err.isatty() else None

    def show(self, lines: tuple[str, ...], progress: Figures | None) -> None:
        """Print lines, and redraw the bar beneath them."""
        if self._bar is not None and lines:
            self._bar.clear()
        for line in lines:
            self._out.write(f"{line}\n")
        self._out.flush()
        if progress is not None and self._make is not None:
            done, total, text = progress
            if self._bar is None:
                # smoothing=0: the rate is the average since `start_t`, as the server has it
                self._bar = self._make(total=total, file=self._err, dynamic_ncols=True, smoothing=0)
                self._bar.start_t -= self._counted
            elif done < self._bar.n:  # it counts anew
                self._bar.start_t = self._bar._time()
            self._bar.total, self._bar.n = total, done
            self._bar.set_description_str(text, refresh=False)
        if self._bar is not None:
            self._bar.refresh()

    def close(self) -> None:
        """Leave the bar as it is, and go to the next line."""
        if self._bar is not None:
            self._bar.close()


def _bar_maker() -> Any:
    try:
        from tqdm import tqdm  # type: ignore[import-untyped]
    except ImportError:
        _complain("for a progress bar: pip install 'txremote[console]'")
        return None
    return tqdm


def _complain(sentence: str) -> None:
    sys.stderr.write(f"txremote: {sentence}\n")


async def _show(task: Any) -> None:
    """Print a task's words and state."""
    sys.stdout.write(f"{await repr_remote(task)}\n")
    sys.stdout.flush()


async def run(reactor: IReactorCore, connection: Connection, options: Namespace) -> int:
    """Do as the command line says, with the action's ``word``; return the exit status."""
    server, timeout = options.server, options.timeout
    try:
        asking = Deferred.fromCoroutine(_ask(connection.root, options))
        task = await asking.addTimeout(timeout, steady(reactor))
        return DONE if task is None else await _follow(connection, task)
    except CancelledError:
        return DETACHED
    except (ConnectionLost, TimeoutError) as problem:
        _complain(str(problem) or f"no answer within {timeout:g} s")
        return NOT_ASKED
    except LookupError as problem:  # there is no such task, or container
        _complain(str(problem.args[0]))
        return FAILED
    except AttributeError:
        _complain(f"what {server} serves is no TaskService: it has no {options.action}")
        return NOT_ASKED
    except Exception as problem:  # the server's, of any kind
        _complain(str(problem).split("\n\n========= Remote", 1)[0])
        return NOT_ASKED


async def _ask(root: Any, options: Namespace) -> Any:
    """Make the call and print its result; return the task to be followed, or None."""
    word = options.word
    if options.action == "list":
        for task in await root.list(word and word.upper()):
            await _show(task)
        return None
    if options.action == "submit":
        line = word[0] if len(word) == 1 else tuple(word)
        task = await root.submit(line, options.container)
        if await task.foreground:
            return task
    elif options.action == "kill":
        task = await root.kill(word)
    else:
        task = await root.find(word)
    await _show(task)
    if options.follow:
        return task
    if options.action == "output":
        sys.stdout.writelines(f"{text}\n" for text in await task.output())
    return None


async def _counted_for(task: Any) -> float:
    try:
        seconds, _rate, _left = await task.pace
    except AttributeError:  # a server of 0.1
        return 0.0
    return float(seconds)


async def _follow(connection: Connection, task: Any) -> int:
    """Print a task's output until it has ended."""
    counted = await _counted_for(task) if sys.stderr.isatty() else 0.0
    bar = Bar(sys.stdout, sys.stderr, counted)
    ended: Deferred[str] = Deferred()

    def on_news(lines: tuple[str, ...], status: str, progress: Figures | None) -> None:
        bar.show(lines, progress)
        if status in FINAL and not ended.called:
            ended.callback(status)

    def lost(how: BaseException) -> None:
        if not ended.called:
            ended.errback(ConnectionLost(f"the connection was lost: {how}"))

    connection.when_disconnected().addCallback(lost)
    try:
        no = await task.no
        await task.subscribe(on_news)
        status = await ended
    except CancelledError:
        bar.close()
        _complain(f"detached: task {no} goes on (txremote tasks SERVER output {no} --follow)")
        raise
    finally:
        bar.close()
    if status == FINISHED:
        return DONE
    if status != ABORTED or await task.error:  # else the output has said it
        _complain(await task.error or await repr_remote(task))
    return FAILED

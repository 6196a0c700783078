"""
``txremote console``: a container's commands in one terminal, without a server.

A command behind the container's arguments is run alone. On a terminal there is a prompt, with
readline. From a pipe or a file lines are run up to the first that fails, as in plac's ``execute``;
then commands of the background are waited for. The reactor has the main thread, where signals
arrive; a thread of its own reads lines, since readline blocks.

Exit status: 0 done, 1 a command failed or was killed, 2 there is no such container, 130 ended by
Ctrl-C.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, TextIO

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import (
    IReactorCore,
    IReactorFDSet,
    IReactorFromThreads,
    IReadDescriptor,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from txremote.console.containers import container_and_rest
from txremote.console.dialogue import Dialogue, Sessions, not_opened
from txremote.console.history import use_readline
from txremote.console.session import Session
from txremote.console.tasks import TaskManager
from txremote.errors import ContainerError
from txremote.printing import NotPrinted, complain, put, put_lines
from txremote.refs.clock import steady
from txremote.tasks.states import FINISHED
from txremote.tasks.task import Task

DONE, FAILED, NO_CONTAINER, INTERRUPTED = 0, 1, 2, 130

HISTORY: Final = "~/.txremote_console_history"


class Typist:
    """Reads lines in a daemon thread: ``read`` blocks for one, or raises EOFError at the end."""

    def __init__(self, reactor: IReactorFromThreads, read: Callable[[str], str]) -> None:
        self._reactor = reactor
        self._read = read
        self._asked: queue.SimpleQueue[tuple[str, Deferred[str | None]]] = queue.SimpleQueue()
        self.reading = False  # whether a line was asked for that has not come
        threading.Thread(target=self._run, name="txremote console", daemon=True).start()

    def line(self, prompt: str = "") -> Deferred[str | None]:
        """Return a Deferred of the next line, or of None at the end."""
        found: Deferred[str | None] = Deferred()
        self.reading = True
        self._asked.put((prompt, found))
        return found

    def _run(self) -> None:
        while True:
            prompt, found = self._asked.get()
            try:
                line: str | None = self._read(prompt)
            except (EOFError, OSError, ValueError):  # the end, or a standard input that is shut
                line = None
            self._reactor.callFromThread(self._deliver, found, line)

    def _deliver(self, found: Deferred[str | None], line: str | None) -> None:
        self.reading = False
        if not found.called:  # else it was cancelled
            found.callback(line)


class Terminal:
    """A dialogue on a terminal. `left` fires when the user leaves."""

    def __init__(self, reactor: IReactorCore, sessions: Sessions, fd: int, out: TextIO) -> None:
        self.left: Deferred[None] = Deferred()
        self._reactor = IReactorFromThreads(reactor)
        self._out = out
        self._sessions = sessions
        self._dialogue = Dialogue(sessions, self, steady(reactor))
        self._typist = Typist(self._reactor, input)
        self._ahead = TypedAhead(IReactorFDSet(reactor), fd, self._dialogue)
        self._asked = ""

    def start(self) -> None:
        """Greet, and prompt."""
        self._dialogue.start()

    def write(self, text: str) -> None:
        """Show some text, or end it: nobody reads that any more."""
        try:
            put(text, self._out)
        except NotPrinted as problem:
            self._ahead.stop()
            if not self.left.called:
                self.left.errback(problem)

    def prompt(self, text: str) -> None:
        """Read a line, unless one was typed ahead."""
        self._ahead.stop()
        if self._dialogue.lines_ahead:
            self.write(f"{text}\n")
            return
        self._asked = text
        self._typist.line(text).addCallback(self._typed)

    def leave(self) -> None:
        """Fire `left`."""
        self._ahead.stop()
        if not self.left.called:
            self.left.callback(None)

    def interrupt(self) -> None:
        """End the command in the foreground: Ctrl-C. For any thread, and signal handlers."""
        self._reactor.callFromThread(self._interrupt)

    def complete(self, text: str, number: int) -> str | None:
        """Return a completion of a word (readline's protocol). The thread that reads."""
        names = self._sessions.current().commands
        if text.startswith("_"):  # the older spelling of what begins with a dot
            names = [f"_{name[1:]}" for name in names if name.startswith(".")]
        found = [name for name in names if name.startswith(text)]
        return f"{found[number]} " if number < len(found) else None

    def _typed(self, line: str | None) -> None:
        self._ahead.start()
        if line is None:
            self.write("\n")
            self._dialogue.end_input()
        else:
            self._dialogue.receive_line(line)

    def _interrupt(self) -> None:
        if not self._typist.reading:
            self._dialogue.interrupt()
            return
        # readline cannot be told to begin anew: what was typed stays
        import readline

        self.write(f"\n(.quit or Ctrl-D leaves)\n{self._asked}{readline.get_line_buffer()}")


@implementer(IReadDescriptor)
class TypedAhead:
    """Reads the lines that are typed while a command runs: an empty one stops ``.output -f``."""

    def __init__(self, reactor: IReactorFDSet, fd: int, dialogue: Dialogue) -> None:
        self._reactor = reactor
        self._fd = fd
        self._dialogue = dialogue

    def start(self) -> None:
        """Begin to read."""
        self._reactor.addReader(self)

    def stop(self) -> None:
        """Leave the terminal to readline."""
        self._reactor.removeReader(self)

    def fileno(self) -> int:
        """Return the terminal."""
        return self._fd

    def doRead(self) -> None:
        """Read whole lines, which the terminal has gathered."""
        data = os.read(self._fd, 4096)
        if not data:
            self.stop()
            self._dialogue.end_input()
        for line in data.decode("utf-8", "replace").splitlines():
            self._dialogue.receive_line(line)

    def connectionLost(self, reason: Failure) -> None:
        """Do nothing: SIGHUP tells that the terminal is lost."""

    def logPrefix(self) -> str:
        """Return a name for the reactor's log."""
        return "txremote console"


@contextmanager
def _kept_terminal(fd: int) -> Iterator[None]:
    """Put the terminal's settings back at the end: readline may be amid a line."""
    import termios

    settings = termios.tcgetattr(fd)
    try:
        yield
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, settings)


async def interact(reactor: IReactorCore, sessions: Sessions, stdin: TextIO, stdout: TextIO) -> int:
    """Run a dialogue on a terminal until the user leaves."""
    terminal = Terminal(reactor, sessions, stdin.fileno(), stdout)
    save = use_readline(terminal.complete, HISTORY, " \t\n")
    before = signal.signal(signal.SIGINT, lambda _number, _frame: terminal.interrupt())
    try:
        with _kept_terminal(stdin.fileno()):
            terminal.start()
            await terminal.left
    finally:
        signal.signal(signal.SIGINT, before)
        save()
    return DONE


async def run_lines(
    session: Session, next_line: Callable[[], Deferred[str | None]], out: TextIO
) -> int:
    """Run command lines up to the first that fails; return the exit status."""
    status = DONE
    background: list[Task] = []
    while (line := await next_line()) is not None:
        task = session.submit(line)
        if task is None:
            continue
        if task.foreground:
            status = await _shown(task, out)
            if status != DONE or task.wants_exit:
                return status
        else:
            put(f"{task!r}\n", out)
            background.append(task)
    for task in background:
        await task.when_done()
        if task.status != FINISHED:
            complain(f"{task!r} {task.error}".rstrip())
            status = FAILED
    return status


async def _shown(task: Task, out: TextIO) -> int:
    """Print a task's output until it ends, and its error; return the exit status."""

    unprinted: list[NotPrinted] = []
    ended = task.when_done()

    def show(_task: object, lines: list[str]) -> None:
        try:
            put_lines(lines, out)
        except NotPrinted as problem:
            unprinted.append(problem)
            ended.cancel()

    show(task, task.output.lines())
    task.listen(output=show)
    try:
        await ended
    except CancelledError:
        if not unprinted:
            raise
    if unprinted:
        raise unprinted[0]
    if task.error:
        complain(task.error)
    return DONE if task.status == FINISHED else FAILED


def _line_reader(fd: int) -> Callable[[str], str]:
    """Return a function that reads a pipe or a file, line by line."""
    # not sys.stdin, whose lock a daemon thread would hold when Python ends
    stream = open(fd, encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115

    def read(_prompt: str) -> str:
        line = stream.readline()
        if not line:
            raise EOFError
        return line

    return read


async def run(reactor: IReactorCore, text: str, words: Sequence[str]) -> int:
    """Run the commands of a container, and words that are its arguments and a command."""
    stdin, stdout = sys.stdin, sys.stdout  # which tasks may change
    manager = TaskManager(reactor=reactor)
    try:
        container, rest = container_and_rest(text, words)
        sessions = Sessions(manager, {container.name: container})
        session = sessions.current()
    except ContainerError as problem:
        complain(str(problem))
        return NO_CONTAINER
    except Exception as problem:  # of a constructor, which is anybody's code
        complain(not_opened(text, problem))
        return NO_CONTAINER
    try:
        if rest:
            task = session.submit(rest)
            return DONE if task is None else await _shown(task, stdout)
        if stdin.isatty():
            return await interact(reactor, sessions, stdin, stdout)
        typist = Typist(IReactorFromThreads(reactor), _line_reader(stdin.fileno()))
        return await run_lines(session, typist.line, stdout)
    except CancelledError:
        return INTERRUPTED
    finally:
        await manager.stop()

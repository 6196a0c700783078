"""
``txremote console``: a container's commands in one terminal, without a server.

Three ways, as plac has them:

* a command behind the container's arguments is run, and that was it; whatever its
  kind, its output is shown and its end waited for;
* on a terminal there is a prompt, with editing, history and completion by readline;
* from a pipe or a file lines are run one after the other without a prompt. The first
  that fails ends it, as in plac's ``execute``. Commands of the background go on
  meanwhile, and are waited for at the end.

The reactor has the main thread, where signals arrive and processes are reaped. What
is typed is read in a thread of its own, a line when one is asked for: readline blocks.
Ctrl-C ends the command in the foreground; Ctrl-D, or ``.quit``, leaves, which ends what
runs in the background too.

Exit status: 0 done, 1 a command failed or was killed, 2 there is no such container,
130 ended by Ctrl-C.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, TextIO

from twisted.internet.defer import CancelledError, Deferred

from txremote.console.containers import container_and_rest
from txremote.console.dialogue import Dialogue, Sessions, not_opened
from txremote.console.history import use_readline
from txremote.console.session import Session
from txremote.console.tasks import TaskManager
from txremote.errors import ContainerError
from txremote.refs.clock import steady
from txremote.tasks.states import FINISHED
from txremote.tasks.task import Task

DONE, FAILED, NO_CONTAINER, INTERRUPTED = 0, 1, 2, 130

HISTORY: Final = "~/.txremote_console_history"

# Seconds that tasks have to end in when the console is left.
_DRAIN: Final = 5.0


class Typist:
    """
    Reads lines in a daemon thread, one when it is asked for.

    Args:
        reactor: Where they are delivered.
        read: Blocks for a line, given a prompt. EOFError: there are no more.

    Attributes:
        reading: Whether a line was asked for that has not come.
    """

    def __init__(self, reactor: Any, read: Callable[[str], str]) -> None:
        self._reactor = reactor
        self._read = read
        self._asked: queue.SimpleQueue[tuple[str, Deferred[str | None]]] = queue.SimpleQueue()
        self.reading = False
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
        if not found.called:  # else whoever asked has given up
            found.callback(line)


class Terminal:
    """
    A dialogue on a terminal.

    Args:
        reactor: The reactor.
        sessions: The user's.
        fd: The file descriptor of the terminal that is typed on.
        out: Where it is shown.

    Attributes:
        left: Fires when the user leaves.
    """

    def __init__(self, reactor: Any, sessions: Sessions, fd: int, out: TextIO) -> None:
        self.left: Deferred[None] = Deferred()
        self._reactor = reactor
        self._out = out
        self._sessions = sessions
        self._dialogue = Dialogue(sessions, self, steady(reactor))
        self._typist = Typist(reactor, input)
        self._ahead = TypedAhead(reactor, fd, self._dialogue)
        self._asked = ""

    def start(self) -> None:
        """Greet, and prompt."""
        self._dialogue.start()

    def write(self, text: str) -> None:
        """Show some text."""
        self._out.write(text)
        self._out.flush()

    def prompt(self, text: str) -> None:
        """Have a line typed, unless one was typed ahead."""
        self._ahead.stop()
        if self._dialogue.lines_ahead:
            self.write(f"{text}\n")
            return
        self._asked = text
        self._typist.line(text).addCallback(self._typed)

    def leave(self) -> None:
        """Say that the user leaves."""
        self._ahead.stop()
        if not self.left.called:
            self.left.callback(None)

    def interrupt(self) -> None:
        """End what runs in the foreground: Ctrl-C. Any thread, a signal's handler too."""
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


class TypedAhead:
    """
    Reads what is typed while a command runs in the foreground: a reader for the reactor.

    Args:
        reactor: The reactor.
        fd: The terminal.
        dialogue: Where the lines go: an empty one stops ``.output -f``.
    """

    def __init__(self, reactor: Any, fd: int, dialogue: Dialogue) -> None:
        self._reactor = reactor
        self._fd = fd
        self._dialogue = dialogue

    def start(self) -> None:
        """Begin to read."""
        self._reactor.addReader(self)

    def stop(self) -> None:
        """Leave what comes to readline."""
        self._reactor.removeReader(self)

    def fileno(self) -> int:
        """Return the terminal."""
        return self._fd

    def doRead(self) -> None:
        """Take in what was typed: whole lines, for the terminal gathers them."""
        data = os.read(self._fd, 4096)
        if not data:
            self.stop()
            self._dialogue.end_input()
        for line in data.decode("utf-8", "replace").splitlines():
            self._dialogue.receive_line(line)

    def connectionLost(self, _reason: Any) -> None:
        """Do nothing: who loses its terminal gets a SIGHUP."""

    def logPrefix(self) -> str:
        """Return a name for the reactor's log."""
        return "txremote console"


@contextmanager
def _kept_terminal(fd: int) -> Iterator[None]:
    """
    Put the terminal's settings back at the end: readline may be in the middle of a
    line.
    """
    import termios

    settings = termios.tcgetattr(fd)
    try:
        yield
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, settings)


async def interact(reactor: Any, sessions: Sessions, stdin: TextIO, stdout: TextIO) -> int:
    """Talk to the user of a terminal until that leaves."""
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


async def run_command(session: Session, words: Sequence[str], out: TextIO) -> int:
    """
    Run one command, whatever its kind, and show what it puts out.

    Returns:
        The exit status.
    """
    task = session.submit(words)
    return DONE if task is None else await _shown(task, out)


async def run_lines(
    session: Session, next_line: Callable[[], Deferred[str | None]], out: TextIO
) -> int:
    """
    Run command lines up to the first that fails.

    Args:
        session: Where they are commands.
        next_line: Gives the next one, or None.
        out: Where the output goes.

    Returns:
        The exit status.
    """
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
            out.write(f"{task!r}\n")
            out.flush()
            background.append(task)
    for task in background:
        await task.when_done()
        if task.status != FINISHED:
            _complain(f"{task!r} {task.error}".rstrip())
            status = FAILED
    return status


async def _shown(task: Task, out: TextIO) -> int:
    """Print a task's output until it ends, and its error."""

    def show(_task: Any, lines: list[str]) -> None:
        out.writelines(f"{line}\n" for line in lines)
        out.flush()

    show(task, task.output.lines())
    task.listen(output=show)
    await task.when_done()
    if task.error:
        _complain(task.error)
    return DONE if task.status == FINISHED else FAILED


def _line_reader(fd: int) -> Callable[[str], str]:
    """Return what reads a pipe or a file, line by line."""
    # not sys.stdin, whose lock a daemon thread would hold when Python ends
    stream = open(fd, encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115

    def read(_prompt: str) -> str:
        line = stream.readline()
        if not line:
            raise EOFError
        return line

    return read


def _complain(sentence: str) -> None:
    sys.stderr.write(f"txremote: {sentence}\n")


async def run(reactor: Any, text: str, words: Sequence[str]) -> int:
    """
    Run the commands of a container as they are given; see the module.

    Args:
        reactor: The reactor that runs.
        text: The container, as ``pkg.mod.Class`` or ``"pkg.mod.Class ARGS"``.
        words: Its arguments, where the text has none, and behind them a command.

    Returns:
        The exit status.
    """
    stdin, stdout = sys.stdin, sys.stdout  # which tasks may change
    manager = TaskManager(reactor=reactor)
    try:
        container, rest = container_and_rest(text, words)
        sessions = Sessions(manager, {container.name: container})
        session = sessions.current()
    except ContainerError as problem:
        _complain(str(problem))
        return NO_CONTAINER
    except Exception as problem:  # of a constructor, which is anybody's code
        _complain(not_opened(text, problem))
        return NO_CONTAINER
    try:
        if rest:
            return await run_command(session, rest, stdout)
        if stdin.isatty():
            return await interact(reactor, sessions, stdin, stdout)
        typist = Typist(reactor, _line_reader(stdin.fileno()))
        return await run_lines(session, typist.line, stdout)
    except CancelledError:
        return INTERRUPTED
    finally:
        await manager.stop(_DRAIN)

"""
`Dialogue`: what one user of a console types, and what is answered.

It knows of sessions and tasks, and of an `IScreen` to write to; whether that is a
socket or a terminal is another's matter.

The rule it keeps: one thing at a time. A line is answered as a whole before the
next one is looked at, so a prompt is never torn by output: what runs in the
background says nothing of itself, and what a user follows (``.output -f``) is a
command like any other, which ends before the next prompt. Lines that are typed
ahead wait, and are taken one in a turn of the reactor, so that somebody who sends a
thousand does not hold up the others.

A screen may be full. Then nothing is written and no line is taken; the running
command's output is in its ring, and goes on from where it stopped. What has fallen
out of the ring meanwhile is told of. So a user who does not read costs no memory.

When the user is gone the command in the foreground is ended, as a terminal's
hang-up does it. What runs in the background goes on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from twisted.internet.defer import Deferred, DeferredList
from twisted.logger import Logger

from txremote.tasks.states import TOBEKILLED
from txremote.tasks.task import Task

_log = Logger("txremote")

PROMPT: Final = "i> "  # plac's

# What is written at once of a long output, about, in characters.
_PIECE: Final = 1 << 15


class IScreen(Protocol):
    """Where a dialogue is shown."""

    def write(self, text: str) -> None:
        """Show some text, of whole lines."""

    def prompt(self, text: str) -> None:
        """Show that the next line may be typed."""

    def leave(self) -> None:
        """Go away: the dialogue is over."""


class Sessions:
    """
    One user's sessions, by the names of their containers. Opened when needed.

    Args:
        manager: The `TaskManager`.
        containers: The containers by name. The first is the one to begin with.

    Attributes:
        name: Which is the current one.
    """

    def __init__(self, manager: Any, containers: Mapping[str, Any]) -> None:
        self._manager = manager
        self._containers = containers
        self._open: dict[str, Any] = {}
        self.name = next(iter(containers))

    @property
    def several(self) -> bool:
        """Whether there are more than one."""
        return len(self._containers) > 1

    @property
    def prompt(self) -> str:
        """The prompt: it has the name where there are several."""
        return f"{self.name}> " if self.several else PROMPT

    def current(self) -> Any:
        """
        Return the current session.

        Raises:
            Exception: what the container's constructor or its ``__enter__`` raises.
        """
        if self.name not in self._open:
            self._open[self.name] = self._manager.open(self._containers[self.name])
        return self._open[self.name]

    def greeting(self) -> str:
        """Return what to say at the beginning."""
        told = [self.current().greeting] + ([self._listing()] if self.several else [])
        return "\n".join(part for part in told if part)

    def use(self, words: Sequence[str]) -> str:
        """
        Change to another one (``.use NAME``).

        Returns:
            What to say: which there are, or why it cannot be.
        """
        if not words:
            return self._listing()
        wanted = " ".join(words)
        if wanted not in self._containers:
            return f"no container {wanted!r}\n{self._listing()}"
        before, self.name = self.name, wanted
        try:
            self.current()
        except Exception as problem:  # of a constructor, which is anybody's code
            self.name = before
            return not_opened(wanted, problem)
        return ""

    def close(self) -> Deferred[Any]:
        """
        Close all of them.

        Returns:
            A Deferred that fires when all containers have been exited.
        """
        sessions, self._open = self._open, {}
        return DeferredList([session.close() for session in sessions.values()])

    def _listing(self) -> str:
        return f"containers: {', '.join(self._containers)} (.use NAME changes)"


def not_opened(name: str, problem: Exception) -> str:
    """Log why a session could not be opened, and return the sentence."""
    told = f"{type(problem).__name__}: {problem}"
    _log.warn("a session of {name} could not be opened: {told}", name=name, told=told)
    return f"{name} could not be opened: {told}"


class Dialogue:
    """
    One user's dialogue. For the reactor's thread.

    Args:
        sessions: The user's.
        screen: Where it is shown.
        clock: The reactor, or what gives its turns.

    Attributes:
        waiting: How many lines are typed ahead.
    """

    def __init__(self, sessions: Sessions, screen: IScreen, clock: Any) -> None:
        self._sessions = sessions
        self._screen = screen
        self._clock = clock
        self._lines: deque[str] = deque()
        self._turn: Any = None  # the call of the next line
        self._task: Task | None = None  # the one in the foreground
        self._stop_listening: Callable[[], None] = _nothing
        self._seen = 0  # lines of its output that were written
        self._full = False
        self._at_end = False  # nothing more will be typed
        self._over = False

    # -- what the user does

    def start(self) -> None:
        """Greet the user, and prompt."""
        try:
            greeting = self._sessions.greeting()
        except Exception as problem:  # of a constructor, which is anybody's code
            self._write(not_opened(self._sessions.name, problem))
            self._leave()
            return
        self._write(greeting)
        self._prompt()

    def typed(self, line: str) -> None:
        """Take a line. It waits for those before it."""
        task = self._task
        if task is not None and task.stops_on_line and not line.strip():
            task.kill()
        elif not (self._over or self._at_end):
            self._lines.append(line)
            self._wake()

    def interrupt(self) -> None:
        """
        End what runs in the foreground, and forget what was typed ahead. Asked for
        again, leave behind what does not end.
        """
        self._lines.clear()
        task = self._task
        if task is not None and task.status == TOBEKILLED:
            self._write(f"{task!r} does not end: it is left to itself")
            self._finish(task)
        elif task is not None:
            task.kill()
        elif not self._over:
            self._screen.write("\n")
            self._prompt()

    def end_input(self) -> None:
        """Leave when the lines that were typed are answered."""
        self._at_end = True
        self._wake()

    def hang_up(self) -> Deferred[Any]:
        """
        Take note that the user is gone.

        Returns:
            A Deferred that fires when the user's containers have been exited,
            which is after the last of their tasks.
        """
        self._over = True
        self._lines.clear()
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
        self._stop_listening()
        if self._task is not None:
            self._task.kill()
            self._task = None
        return self._sessions.close()

    # -- what the screen does

    def pause(self) -> None:
        """Write nothing more: the screen is full."""
        self._full = True

    def resume(self) -> None:
        """Go on."""
        self._full = False
        self._show()
        self._wake()

    def say(self, sentence: str) -> None:
        """Tell the user something between two lines."""
        if self._over or self._full:
            return
        if self._task is None:
            self._write(f"\n{sentence}")
            self._prompt()
        else:
            self._write(sentence)

    @property
    def waiting(self) -> int:
        """How many lines are typed ahead."""
        return len(self._lines)

    # -- a line

    def _wake(self) -> None:
        """See to it that the next line is taken, if it can be."""
        idle = self._turn is None and self._task is None and not (self._full or self._over)
        if idle and (self._lines or self._at_end):
            self._turn = self._clock.callLater(0, self._take_turn)

    def _take_turn(self) -> None:
        self._turn = None
        if self._task is not None or self._full:
            return
        if self._lines:
            self._obey(self._lines.popleft())
            self._wake()
        elif self._at_end:
            self._leave()

    def _obey(self, line: str) -> None:
        words = line.split()
        if self._sessions.several and words and words[0] in (".use", "_use"):
            self._write(self._sessions.use(words[1:]))
            self._prompt()
            return
        try:
            task = self._sessions.current().submit(line)
        except RuntimeError as problem:  # the manager has been stopped
            self._write(str(problem))
            self._leave()
            return
        if task is None:
            self._prompt()
        elif task.foreground:
            self._follow(task)
        else:
            self._write(repr(task))
            self._prompt()

    def _follow(self, task: Task) -> None:
        self._task = task
        self._seen = 0
        self._stop_listening = task.listen(output=lambda _task, _lines: self._show())
        self._show()
        task.when_done().addCallback(lambda _task: self._show())
        if task.stops_on_line and "" in self._lines:  # typed ahead
            self._lines.remove("")
            task.kill()

    def _show(self) -> None:
        """Write what is new of the foreground's output, and end it if it has ended."""
        task = self._task
        if task is None:
            return
        lines = task.output.lines(self._seen)
        lost = task.output.first - self._seen
        if lines and lost > 0 and not self._full:
            self._write(f"... {lost} lines are no longer there ...")
            self._seen = task.output.first
        at = 0
        while at < len(lines) and not self._full:  # which writing may bring about
            piece: list[str] = []
            size = 0
            while at < len(lines) and size < _PIECE:
                piece.append(lines[at])
                size += len(lines[at])
                at += 1
            self._seen += len(piece)
            self._screen.write("\n".join(piece) + "\n")  # empty ones as well
        if task.done and at == len(lines) and not self._full and self._task is task:
            self._finish(task)

    def _finish(self, task: Task) -> None:
        self._stop_listening()
        self._stop_listening = _nothing
        self._task = None
        self._write(task.error)
        if task.wants_exit:
            self._leave()
        else:
            self._prompt()
            self._wake()

    # -- the rest

    def _write(self, text: str) -> None:
        """Write some lines, if there are any."""
        if text:
            self._screen.write(f"{text}\n")

    def _prompt(self) -> None:
        """Ask for the next line, unless there will be none."""
        if not self._over and (self._lines or not self._at_end):
            self._screen.prompt(self._sessions.prompt)

    def _leave(self) -> None:
        if not self._over:
            self.hang_up()
            self._screen.leave()


def _nothing() -> None:
    """Stop listening to nothing."""

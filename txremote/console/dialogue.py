"""
`Dialogue`: one user of a console: lines in, output and prompts out.

It does one thing at a time: a line is answered as a whole before the next one is taken, in a later
turn of the reactor, so output never tears a prompt. Tasks in the background write nothing by
themselves; to follow one (``.output -f``) is a command like any other.

A screen may be full. Then nothing is written and no line is taken; the running command's output
stays in its ring and goes on from where it stopped, with a note about the lines that have fallen
out. A built-in command waits meanwhile: what it shows of other tasks is kept there, and counted
there. When the user is gone the command in the foreground is ended.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from txremote.console.containers import Container
from txremote.console.session import Session
from txremote.console.tasks import TaskManager
from txremote.levels import Logger
from txremote.tasks.listing import ProgressLines
from txremote.tasks.states import TOBEKILLED
from txremote.tasks.task import Lines, Task

_log = Logger("txremote")

PROMPT: Final = "i> "  # plac's

# Characters of a long output that are written at once, about.
_PIECE: Final = 1 << 15

# Bytes of a character, at most.
_MOST_IN_UTF8: Final = 4


class IScreen(Protocol):
    """The place where a dialogue is shown."""

    def write(self, text: str) -> None:
        """Show some text, of whole lines."""

    def prompt(self, text: str) -> None:
        """Show that the next line may be typed."""

    def leave(self) -> None:
        """Go away: the dialogue is over."""


class Sessions:
    """One user's sessions, one a container, each opened when it is needed first."""

    def __init__(
        self,
        manager: TaskManager,
        containers: Mapping[str, Container],
        owner: str = "",
        prompt: str = PROMPT,
    ) -> None:
        self._manager = manager
        self._owner = owner
        self._prompt = prompt
        self._containers = containers
        self._open: dict[str, Session] = {}
        self.name = next(iter(containers))
        self.has_several = len(containers) > 1

    @property
    def prompt(self) -> str:
        """The prompt, with the container's name where there are several."""
        return f"{self.name}> " if self.has_several else self._prompt

    def current(self) -> Session:
        """Return the current session. Raises as the container's constructor does."""
        if self.name not in self._open:
            self._open[self.name] = self._manager.open(self._containers[self.name], self._owner)
        return self._open[self.name]

    def greeting(self) -> str:
        """Return the text to begin with."""
        parts = [self.current().greeting, self._listing() if self.has_several else ""]
        return "\n".join(filter(None, parts))

    def use(self, words: Sequence[str]) -> str:
        """Change to another container (``.use NAME``); return the names of all, an error, or ""."""
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

    def close(self) -> Deferred[None]:
        """Close all sessions; fires when all containers have been exited."""
        sessions, self._open = self._open, {}
        closing = DeferredList([session.close() for session in sessions.values()])
        return closing.addCallback(lambda _all: None)

    def _listing(self) -> str:
        return f"containers: {', '.join(self._containers)} (.use NAME changes)"


def not_opened(name: str, problem: Exception) -> str:
    """Log why a session could not be opened, and return the sentence."""
    error = f"{type(problem).__name__}: {problem}"
    _log.warn("a session of {name} could not be opened: {error}", name=name, error=error)
    return f"{name} could not be opened: {error}"


class Dialogue:
    """One user's dialogue. For the reactor's thread."""

    def __init__(self, sessions: Sessions, screen: IScreen, clock: IReactorTime) -> None:
        self._sessions = sessions
        self._screen = screen
        self._clock = clock
        self.lines_ahead: deque[str] = deque()
        self._turn: IDelayedCall | None = None  # takes the next line
        self._task: Task | None = None  # the one in the foreground
        self._stop_listening: Callable[[], None] | None = None
        self._seen = 0  # lines of its output that were written
        self._progress: ProgressLines | None = None  # about it
        self._full = False
        self._at_end = False  # nothing more will be typed
        self._over = False

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

    def receive_line(self, line: str) -> None:
        """Take a line, which waits for those before it."""
        task = self._task
        if task is not None and task.stops_on_line and not line.strip():
            task.kill()
        elif not (self._over or self._at_end):
            self.lines_ahead.append(line)
            self._take_next()

    def interrupt(self) -> None:
        """End the foreground command, and forget lines typed ahead; the second time, leave it."""
        self.lines_ahead.clear()
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
        self._take_next()

    def hang_up(self) -> Deferred[None]:
        """End the dialogue. Fires when the user's last tasks have ended, and the containers."""
        self._over = True
        self.lines_ahead.clear()
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
        self._unfollow()
        if self._task is not None:
            self._task.kill()
            self._task = None
        return self._sessions.close()

    def pause(self) -> None:
        """Write nothing more: the screen is full."""
        self._full = True
        if self._task is not None and self._task.waits_for_screen:
            self._task.hold()

    def resume(self) -> None:
        """Go on."""
        self._full = False
        if self._task is not None:
            self._task.go_on()
        self._show()
        self._take_next()

    def show_notice(self, sentence: str) -> None:
        """Show a sentence between two lines."""
        if self._over or self._full:
            return
        if self._task is None:
            self._write(f"\n{sentence}")
            self._prompt()
        else:
            self._write(sentence)

    def _take_next(self) -> None:
        """Take the next line in a turn of the reactor, if one can be taken."""
        idle = self._turn is None and self._task is None and not (self._full or self._over)
        if idle and (self.lines_ahead or self._at_end):
            self._turn = self._clock.callLater(0, self._take_turn)

    def _take_turn(self) -> None:
        self._turn = None
        if self._task is not None or self._full:
            return
        if self.lines_ahead:
            self._run_line(self.lines_ahead.popleft())
            if self.lines_ahead or self._at_end:
                self._take_next()
        elif self._at_end:
            self._leave()

    def _run_line(self, line: str) -> None:
        if self._sessions.has_several:
            words = line.split()
            if words and words[0] in (".use", "_use"):
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
        if task.done:  # most have ended by now: nothing to listen to
            self._show()
            return
        self._progress = ProgressLines(task.clock)
        self._stop_listening = task.listen(
            output=self._show_new,
            progress=lambda task, _progress: self._show_progress(task),
        )
        self._show()
        task.when_done().addCallback(lambda _task: self._show())
        if task.stops_on_line and "" in self.lines_ahead:
            self.lines_ahead.remove("")
            task.kill()

    def _unfollow(self) -> None:
        if self._stop_listening is not None:
            self._stop_listening()
            self._stop_listening = None

    def _show(self) -> None:
        """Write the new output of the foreground's task; prompt if that has ended."""
        task = self._task
        if task is None:
            return
        lines = task.output.lines(self._seen)
        lost = task.output.first - self._seen
        if lines and lost > 0 and not self._full:
            self._write(f"... {lost} lines are no longer there ...")
            self._seen = task.output.first
        at = 0
        while at < len(lines) and not self._full:  # writing may fill it
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

    def _show_new(self, task: Task, lines: list[str]) -> None:
        """Write lines that the foreground's task has just put out."""
        if self._task is not task or self._full:
            return
        output = task.output
        text = lines.text if isinstance(lines, Lines) else "\n".join(lines) + "\n"
        kept = len(text) <= _PIECE and len(text) * _MOST_IN_UTF8 <= output.max_bytes
        # nothing of them was cut or has fallen out, and nothing stands before them
        if kept and self._seen + len(lines) == output.next and self._seen >= output.first:
            self._seen = output.next
            self._screen.write(text)
        else:
            self._show()

    def _show_progress(self, task: Task) -> None:
        """Write how far the foreground's task is, now and then."""
        if self._task is task and not self._full and self._progress is not None:
            self._write(self._progress.of(task) or "")

    def _finish(self, task: Task) -> None:
        self._unfollow()
        self._task = None
        if task.exc is not None:
            self._write(task.error)
        if task.wants_exit:
            self._leave()
            return
        self._prompt()
        if self.lines_ahead or self._at_end:
            self._take_next()

    def _write(self, text: str) -> None:
        """Write some lines, if there are any."""
        if text:
            self._screen.write(f"{text}\n")

    def _prompt(self) -> None:
        """Show the prompt, unless no more line will come."""
        if not self._over and (self.lines_ahead or not self._at_end):
            self._screen.prompt(self._sessions.prompt)

    def _leave(self) -> None:
        if not self._over:
            self.hang_up()
            self._screen.leave()

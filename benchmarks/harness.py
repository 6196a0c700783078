"""
Processes and rounds.

Each contestant has a server process and a client process of its own, over
loopback TCP. All of a row's contestants are up at once and are measured in
turn, round by round, so that what else the machine does hits all alike. A
ratio is taken within a round, and the median of the rounds is what is shown.

The one rule: no process outlives the harness. `Stage` ends what it has started
when it is left; a child ends by itself when its standard input does, which
covers a harness that was killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.peers import PEERS

if TYPE_CHECKING:
    from benchmarks.peers import Peer
    from benchmarks.rows.base import Row

ROOT = Path(__file__).resolve().parent.parent

#: Seconds that one answer of a child may take.
PATIENCE = 120.0


class ContestantFailed(Exception):
    """A contestant did not do what was asked. The text says why."""


@dataclass(frozen=True)
class Program:
    """
    What runs the contestants' processes: this program, or another checkout's txremote.

    Attributes:
        python: The interpreter.
        folder: The working directory, which has `benchmarks` in it.
        path: Where to look for modules besides, before the interpreter's own places.
    """

    python: str = sys.executable
    folder: Path = ROOT
    path: tuple[str, ...] = ()

    @property
    def environment(self) -> dict[str, str]:
        """Its environment, and that of what it starts in turn."""
        if not self.path:
            return dict(os.environ)
        inherited = os.environ.get("PYTHONPATH")
        path = [*self.path, inherited] if inherited else self.path
        return {**os.environ, "PYTHONPATH": os.pathsep.join(path)}


class Child:
    """
    One process of a contestant (`benchmarks.child`).

    Args:
        module: The contestant's module.
        role: ``"serve"`` or ``"connect"``.
        *arguments: What its ``listen``, ``serve`` or ``connect`` is given.
        core: The processor core to keep to, or None for any.
        program: What runs it.

    Attributes:
        first: Its first answer: a server's address.
    """

    def __init__(
        self,
        module: str,
        role: str,
        *arguments: Any,
        core: int | None = None,
        program: Program = Program(),
    ) -> None:
        self._name = f"{module.rpartition('.')[2]} ({role})"
        self._errors = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115
        self._answers: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._process = subprocess.Popen(
            [program.python, "-m", "benchmarks.child", module, role, json.dumps(arguments)],
            cwd=program.folder,
            env=program.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            # Ctrl-C is for the harness, which then ends the children in order
            start_new_session=True,
        )
        if core is not None:  # it has hardly begun: its threads will have it from here
            os.sched_setaffinity(self._process.pid, {core})
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.first: Any = None

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._answers.put(line)
        self._answers.put(None)

    def begin(self) -> Any:
        """
        Wait until it is up.

        Returns:
            A server's address.

        Raises:
            ContestantFailed: it is not coming up.
        """
        self.first = self._answer()
        return self.first

    def ask(self, name: str, *arguments: Any) -> Any:
        """
        Have it do something.

        Raises:
            ContestantFailed: it could not, or took longer than `PATIENCE`.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps([name, arguments]) + "\n")
            self._process.stdin.flush()
        except OSError:  # it is gone; the answer below says so
            pass
        return self._answer()

    def _answer(self) -> Any:
        try:
            line = self._answers.get(timeout=PATIENCE)
        except queue.Empty:
            raise ContestantFailed(
                f"{self._name}: no answer within {PATIENCE:g} s\n{self._tail()}"
            ) from None
        if line is None:
            raise ContestantFailed(f"{self._name}: the process has ended\n{self._tail()}")
        answer = json.loads(line)
        if "error" in answer:
            raise ContestantFailed(f"{self._name}: {answer['error']}")
        return answer["ok"]

    def _tail(self) -> str:
        self._errors.seek(0)
        return self._errors.read()[-2000:]

    def status(self, name: str) -> int | None:
        """
        Return a number of ``/proc/PID/status``, in bytes where it is a size;
        None where the system has no such file.
        """
        try:
            text = Path(f"/proc/{self._process.pid}/status").read_text()
        except OSError:
            return None
        for line in text.splitlines():
            key, _, value = line.partition(":")
            if key == name:
                number, *unit = value.split()
                return int(number) * (1024 if unit else 1)
        return None

    def reset_peak(self) -> bool:
        """Forget what memory it had at most so far; return whether the system can do that."""
        try:
            Path(f"/proc/{self._process.pid}/clear_refs").write_text("5")
        except OSError:
            return False
        return True

    def cpu(self) -> tuple[float, float]:
        """
        Return the seconds of processor time that it has used, and those of its
        worker processes together, as far as this system tells.
        """
        workers = self.ask("ended")
        for worker in session(self._process.pid):
            if worker != self._process.pid:
                with contextlib.suppress(OSError):  # it has just ended
                    # Linux's number of another process's clock
                    workers += time.clock_gettime(~worker << 3 | 2)
        return self.ask("cpu"), workers

    def stop(self) -> None:
        """End it."""
        with contextlib.suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.close()
        try:
            self._process.wait(2)
        except subprocess.TimeoutExpired:
            if hasattr(os, "killpg"):  # with what it has started
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.kill()
            self._process.wait()
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._errors.close()


def session(leader: int) -> list[int]:
    """
    Return the processes of a session, where the system has ``/proc``: a child and
    what it has started.
    """
    found = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            *_command, fields = file.read_text().rpartition(")")
        except OSError:  # it has just ended
            continue
        if int(fields.split()[3]) == leader:
            found.append(int(file.parent.name))
    return found


def cores() -> list[int]:
    """Return the processor cores that a process can be told to keep to."""
    if not hasattr(os, "sched_setaffinity"):  # not every system has that
        return []
    return sorted(os.sched_getaffinity(0))


class Stage:
    """
    The processes of some contestants; a context manager that ends them.

    Args:
        apart: Whether to keep servers on one core and clients on another.
        program: What runs them.
    """

    def __init__(self, apart: bool = False, program: Program = Program()) -> None:
        self._program = program
        self._children: list[Child] = []
        self._alone: dict[str, Child] = {}
        self._cores: dict[str, int] = {}
        if apart:
            self._cores = dict(zip(("serve", "connect"), cores(), strict=False))

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *_error: object) -> None:
        children, self._children = self._children, []
        for child in children:
            child.stop()

    def serve(self, module: str, *arguments: Any, all_cores: bool = False) -> Child:
        """Start a server and wait until it listens. It has all cores if it is several processes."""
        core = None if all_cores else self._cores.get("serve")
        return self._start(module, "serve", arguments, core)

    def connect(self, module: str, *arguments: Any, all_cores: bool = False) -> Child:
        """Start a client and wait until it is connected."""
        core = None if all_cores else self._cores.get("connect")
        return self._start(module, "connect", arguments, core)

    def alone(self, module: str) -> Child:
        """
        Start what has no server and wait until it is ready, unless it was started
        before: contestants of one file share the process. It has all cores.
        """
        if module not in self._alone:
            self._alone[module] = self._start(module, "connect", (), None)
        return self._alone[module]

    def _start(self, module: str, role: str, arguments: tuple[Any, ...], core: int | None) -> Child:
        child = Child(module, role, *arguments, core=core, program=self._program)
        self._children.append(child)
        child.begin()
        return child


@dataclass(frozen=True)
class Effort:
    """
    How much is done.

    Attributes:
        rounds: How often each contestant is measured.
        seconds: How long one measurement should take, where that can be chosen.
        quick: Whether sizes are small too: for a look, not for a record.
        apart: Whether servers keep to one core and clients to another.
        program: What runs the contestants.
    """

    rounds: int = 9
    seconds: float = 0.3
    quick: bool = False
    apart: bool = False
    program: Program = Program()

    def stage(self) -> Stage:
        """Return a stage for contestants that are measured so."""
        return Stage(self.apart, self.program)


@dataclass(frozen=True)
class Sample:
    """
    What one contestant has done in one round.

    Attributes:
        value: The figure.
        note: What else there is to say, such as threads.
        cpu: Microseconds of processor time for each call, the client's and the
            server's, or for each job, the pool's and its workers'; None where that
            is not the point.
    """

    value: float
    note: str = ""
    cpu: tuple[float, float] | None = None


@dataclass
class Measured:
    """
    What one contestant has done in one row.

    Attributes:
        values: One for each round.
        cpu: The processor time of each round.
        note: What else there is to say, of the last round.
        error: Why there are no values, if there are none.
    """

    values: list[float] = field(default_factory=list)
    cpu: list[tuple[float, float]] = field(default_factory=list)
    note: str = ""
    error: str = ""

    def add(self, sample: Sample) -> None:
        """Take note of a round."""
        self.values.append(sample.value)
        self.note = sample.note
        if sample.cpu is not None:
            self.cpu.append(sample.cpu)

    @property
    def both_sides(self) -> Measured | None:
        """
        The processor time of client and server together, as figures; None
        where there is none.
        """
        return Measured([client + server for client, server in self.cpu]) if self.cpu else None

    @property
    def median(self) -> float:
        """The figure that is shown."""
        return statistics.median(self.values)

    @property
    def spread(self) -> float:
        """Half the way from the lowest to the highest round, as a part of the median."""
        if not self.median:
            return 0.0
        return (max(self.values) - min(self.values)) / 2 / self.median


def ratio(of: Measured | None, to: Measured | None) -> Measured | None:
    """Return the ratios of two contestants, round by round; None without both."""
    if of is None or to is None or not of.values or not to.values:
        return None
    return Measured([a / b for a, b in zip(of.values, to.values, strict=True)])


def missing(names: Sequence[str]) -> list[str]:
    """Return which contestants are not installed."""
    return [name for name in names if not PEERS[name].installed]


def run_row(row: Row, effort: Effort, only: Sequence[str] | None = None) -> dict[str, Measured]:
    """
    Measure a row.

    Args:
        row: Which.
        effort: How much.
        only: The contestants, if not all of the row's that are installed.

    Returns:
        Each contestant's figures; one that has failed has an error in place.
    """
    names = [
        name for name in row.contestants if PEERS[name].installed and (only is None or name in only)
    ]
    return run_in_turn(row, {name: (PEERS[name], effort) for name in names}, effort.rounds)


def run_in_turn(
    row: Row, contestants: Mapping[str, tuple[Peer, Effort]], rounds: int
) -> dict[str, Measured]:
    """
    Measure a row's contestants, round by round.

    Args:
        row: Which.
        contestants: Each one's name, with who it is and how it is measured. Those
            that are measured alike share a stage.
        rounds: How often.

    Returns:
        Each contestant's figures; one that has failed has an error in place.
    """
    measured = {name: Measured() for name in contestants}
    with contextlib.ExitStack() as stack:
        stages = {
            effort: stack.enter_context(effort.stage())
            for effort in dict.fromkeys(effort for _peer, effort in contestants.values())
        }
        at_work: dict[str, Any] = {}
        for name, (peer, effort) in contestants.items():
            with _failing(measured, name):
                at_work[name] = row.prepare(stages[effort], peer, effort)
        for number in range(rounds):
            # back and forth, so that nobody always comes after the same one
            for name in list(at_work)[:: -1 if number % 2 else 1]:
                with _failing(measured, name):
                    measured[name].add(row.measure(at_work[name], contestants[name][1]))
                if measured[name].error:
                    del at_work[name]
    return measured


@contextlib.contextmanager
def _failing(measured: dict[str, Measured], name: str) -> Iterator[None]:
    """Take a failure of one contestant for its figures; the others go on."""
    try:
        yield
    except ContestantFailed as error:
        measured[name] = Measured(error=str(error))


__all__ = [
    "Child",
    "ContestantFailed",
    "Effort",
    "Measured",
    "Program",
    "Sample",
    "Stage",
    "missing",
    "ratio",
    "run_in_turn",
    "run_row",
]

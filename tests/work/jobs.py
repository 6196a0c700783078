"""
Jobs for the tests of process pools: functions that a child can import.

Not a test file, and light: every child of a test imports it.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from typing import Any

from twisted.logger import Logger

from txremote.work.live import live


def add(a: Any, b: Any) -> Any:
    return a + b


def same(value: Any) -> Any:
    return value


def length(value: Any) -> int:
    return len(value)


def promise(what: str) -> Any:
    if what == "a Deferred":
        from twisted.internet.defer import Deferred

        return Deferred()

    async def later() -> None:
        pass

    return later()


def pid(*_ignored: Any) -> int:
    return os.getpid()


def nap(seconds: float, value: Any = None) -> Any:
    time.sleep(seconds)
    return value


def mark(path: str, number: int, seconds: float = 0) -> int:
    """Write that a job was begun: one write, at the end of the file."""
    log = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(log, b"%d\n" % number)
    os.close(log)
    if seconds:
        time.sleep(seconds)
    return number


def marks(path: str) -> list[int]:
    """Return the numbers of the jobs that were begun, in order."""
    try:
        with open(path) as file:
            return [int(line) for line in file]
    except FileNotFoundError:
        return []


def report_pid(path: str) -> None:
    """Write this process's number where its parent finds it, whole."""
    with open(f"{path}.part", "w") as file:
        file.write(str(os.getpid()))
    os.rename(f"{path}.part", path)


def hang(path: str, how: str) -> None:
    """Report, and then do what takes for ever."""
    report_pid(path)
    if how == "sleep":
        time.sleep(1000)
    elif how == "wait":
        threading.Event().wait()
    elif how == "C code":
        sum(range(10**13))  # it never lets go of the interpreter's lock
    elif how == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(1000)
    elif how == "stubborn":
        while True:
            try:
                time.sleep(1000)
            except BaseException:
                continue
    elif how == "stopped":
        os.kill(os.getpid(), signal.SIGSTOP)
        time.sleep(1000)


def tidy_hang(path: str, tidied: str) -> None:
    """Hang, with something to tidy up at the end."""
    try:
        hang(path, "sleep")
    finally:
        print("tidying up")
        with open(tidied, "w") as file:
            file.write("tidied")


def start_program(path: str, hang_too: bool = True) -> int:
    """Start a program that does not end by itself."""
    program = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
    with open(f"{path}.part", "w") as file:
        file.write(str(program.pid))
    os.rename(f"{path}.part", path)
    if hang_too:
        time.sleep(1000)
    return program.pid


def throw(error: BaseException) -> None:
    raise error


class NeedsTwo(Exception):
    """Cannot be unpickled: its ``__init__`` wants more than its args have."""

    def __init__(self, reason: str, number: int) -> None:
        super().__init__(reason)
        self.number = number


class HasLock(Exception):
    """Cannot be pickled."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.lock = threading.Lock()


class Unprintable(Exception):
    """Cannot be looked at."""

    @property
    def args(self) -> Any:  # type: ignore[override]
        raise LookupError

    def __repr__(self) -> str:
        raise LookupError

    __str__ = __repr__


class UnprintableExit(SystemExit):
    """Ends a program, and cannot be looked at."""

    def __repr__(self) -> str:
        raise LookupError


def throw_needs_two() -> None:
    raise NeedsTwo("no", 2)


def throw_has_lock() -> None:
    raise HasLock("locked")


def throw_unprintable() -> None:
    raise Unprintable


def throw_unprintable_exit() -> None:
    raise UnprintableExit


def throw_stranger() -> None:
    """Raise what no other process can import or be sent."""
    body = {"__module__": "nowhere.at.all", "lock": threading.Lock()}
    raise type("Stranger", (Exception,), body)("who are you?")


def leave(status: int) -> None:
    sys.exit(status)


def leave_at_once(status: int) -> None:
    os._exit(status)


def interrupt() -> None:
    raise KeyboardInterrupt


def recurse() -> None:
    recurse()


def eat_memory() -> Any:
    return bytearray(1 << 62)


def crash() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def come_back_twice() -> int:
    """Fork, and return in both."""
    return os.fork()


def close_everything() -> None:
    os.closerange(3, 256)


def close_output() -> None:
    sys.stdout.close()


def lock() -> Any:
    return threading.Lock()


def lambda_of(number: int) -> Any:
    return lambda: number


class Unmade:
    """Can be pickled, but not be made again."""

    def __reduce__(self) -> Any:
        return (throw, (LookupError("not to be made"),))


def unmade() -> Unmade:
    return Unmade()


def input_of() -> str:
    return sys.stdin.read()


def own_descriptors() -> list[str]:
    folder = "/proc/self/fd"
    found = [
        f"{fd}: {os.readlink(f'{folder}/{fd}')}"
        for fd in sorted(map(int, os.listdir(folder)))
        if os.path.lexists(f"{folder}/{fd}")  # not what the listing itself had opened
    ]
    return [each for each in found if "/libffi.so" not in each]  # which keeps itself open


def descriptors_of_a_program() -> list[int]:
    """Return what a program has that a job starts: a folder that it lists included."""
    words = ["/bin/sh", "-c", "ls /proc/self/fd"]
    done = subprocess.run(words, stdout=subprocess.PIPE, check=True, close_fds=False)
    return sorted(map(int, done.stdout.split()))


# -- what prints


def speak(text: str, stream: str = "stdout") -> None:
    print(text, file=getattr(sys, stream))


def speak_without_end(text: str) -> None:
    sys.stdout.write(text)


def write_raw(data: bytes, descriptor: int = 1) -> None:
    os.write(descriptor, data)


def log(text: str, level: int = logging.WARNING, *args: Any) -> None:
    logging.getLogger("jobs.own").log(level, text, *args)


def log_trouble() -> None:
    try:
        raise LookupError("lost it")
    except LookupError:
        logging.getLogger("jobs.own").exception("trouble")


def log_to_twisted(text: str) -> None:
    Logger("jobs.twisted").warn("{text}", text=text)


def run_program(text: str) -> None:
    subprocess.run(["/bin/sh", "-c", f"echo '{text}'; echo '{text} too' >&2"], check=True)


def speak_in_threads(threads: int, lines: int) -> None:
    def speak_often(who: int) -> None:
        for line in range(lines):
            print(f"thread {who} line {line}")

    speakers = [threading.Thread(target=speak_often, args=(who,)) for who in range(threads)]
    for speaker in speakers:
        speaker.start()
    for speaker in speakers:
        speaker.join()


# -- what uses what is live


def call(function: Any, *args: Any) -> Any:
    return function(*args)


def call_often(function: Any, times: int) -> int:
    return sum(function(number) for number in range(times))


def call_all(cabinet: dict[str, list[Any]]) -> list[Any]:
    return [function(2) for function in cabinet["functions"]]


def use_player(player: Any) -> tuple[Any, ...]:
    """Read, call, set."""
    player.score = player.score + 10
    return player.name, player.greet("hello"), player.score


def what_it_raises(function: Any) -> str:
    try:
        function()
    except NeedsTwo as error:
        return f"NeedsTwo: {error.args[0]}"
    except Exception as error:
        return f"{type(error).__name__}: {error.args[0]}"
    return "nothing"


def lend(function: Any) -> tuple[Any, list[Any]]:
    """Give the parent a function of ours, to be called while it has it."""
    seen: list[Any] = []

    def seen_here(value: Any) -> Any:
        seen.append(value)
        return value * 2

    return function(seen_here), seen


class Counter:
    def __init__(self) -> None:
        self.value = 0

    def next(self) -> int:
        self.value += 1
        return self.value


def counter() -> Any:
    """Return an object by reference."""
    return live(Counter())


def leave_thread(function: Any, times: int) -> None:
    """Leave a thread behind that goes on calling."""

    def go_on() -> None:
        try:
            for number in range(times):
                function(number)
        except EOFError:  # the connection's end is its end
            return

    threading.Thread(target=go_on, daemon=True).start()


def annotated() -> None:
    """Fail with notes and causes."""
    try:
        try:
            {}["k"]
        except KeyError as error:
            error.add_note("the inner note")
            raise TypeError("middle")  # noqa: B904
    except TypeError as error:
        outer = ValueError("outer")
        outer.add_note("the outer note\nof two lines")
        raise outer from error


# -- initializers

SET_UP: list[int] = []


def set_up() -> None:
    """Note that this process is set up, and write it where the environment says."""
    SET_UP.append(os.getpid())
    mark(os.environ["TXREMOTE_MARKS"], os.getpid())


def set_up_here(*_ignored: Any) -> tuple[int, list[int]]:
    return os.getpid(), SET_UP


def fail_to_set_up() -> None:
    print("about to fail")
    raise LookupError("no settings")


def hang_when_first() -> None:
    """Set up, but the first process that does so never ends."""
    path = os.environ["TXREMOTE_MARKS"]
    if not os.path.exists(path):
        hang(path, "sleep")
    set_up()


async def set_up_later() -> None:
    pass

"""
What the workers of a Dask cluster do in tests. Not a test file.

It is imported in the workers, so it imports nothing that a test needs.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

#: Seconds after which a job gives up.
PATIENCE = 30.0


class Odd(Exception):
    """An exception that cannot be made of its args."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} and {second}")


class Mute(Exception):
    """An exception that does not say what it is about."""

    def __init__(self, *_about: object) -> None:
        super().__init__(sys._getframe())

    def __str__(self) -> str:
        raise RuntimeError("no comment")


class Trap:
    """A value that can be pickled, and not be made again but where it was."""

    def __init__(self) -> None:
        self.home = os.getpid()

    def __reduce__(self) -> Any:
        return (_only_in, (self.home,))


def _only_in(pid: int) -> Trap:
    if os.getpid() != pid:
        raise ValueError(f"a trap of {pid} in {os.getpid()}")
    return Trap()


def mark(marks: Path | str, name: str) -> str:
    """Leave a mark: a line in a file."""
    descriptor = os.open(marks, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(descriptor, f"{name}\n".encode())
    finally:
        os.close(descriptor)
    return name


def mark_and_wait(marks: Path | str, name: str, until: Path | str) -> str:
    """Leave a mark, and wait until there is a file."""
    mark(marks, name)
    end = time.monotonic() + PATIENCE
    while not Path(until).exists():
        if time.monotonic() > end:
            raise TimeoutError(f"there is no {until}")
        time.sleep(0.01)
    return name


def mark_and_die(marks: Path | str, name: str) -> None:
    """Leave a mark, and take the whole process away."""
    mark(marks, name)
    os._exit(3)


def lookup(table: dict[str, int], name: str, *, add: int = 0) -> int:
    """Look something up; KeyError if it is not there."""
    return table[name] + add


def odd() -> None:
    """Raise what cannot be made here."""
    raise Odd("one", "two")


def mute() -> None:
    """Raise what cannot even be printed."""
    raise Mute


def modules_of(package: str) -> list[str]:
    """Return the modules of a package that are loaded."""
    return [name for name in sys.modules if name.split(".")[0] == package]


def leave() -> None:
    """Leave the program."""
    sys.exit(3)


def unpicklable() -> Any:
    """Return what cannot leave its process."""
    return sys._getframe()


def trap() -> Trap:
    """Return what can leave its process and arrive nowhere."""
    return Trap()

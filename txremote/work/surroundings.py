"""
The surroundings of a pool's processes, where they are not those of their parent, and the function
that sets them up (`txremote.work.initializer`).
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from txremote.errors import NotPicklable
from txremote.wire.naming import sentence
from txremote.work.initializer import InitializerFunction, initialize
from txremote.work.pickling import Pickled, dump_job
from txremote.work.pool import name_of

# A pair of env=A=1,B=2, with a backslash before what is not to mean anything.
_PAIR = re.compile(r"(?:\\.|[^,\\])+", re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)

_KINDEST, _LEAST_KIND = -20, 19


@dataclass(frozen=True)
class Surroundings:
    """
    How a process differs from its parent. ValueError, TypeError: it makes no sense.

    Args:
        env: Variables of the environment, beside the parent's or in their place.
        cwd: The working directory; a relative one is meant from where its parent is now.
        nice: How much nicer the process is, in the operating system's steps.
    """

    env: Mapping[str, str] = field(default_factory=dict)
    cwd: str | None = None
    nice: int = 0

    def __post_init__(self) -> None:
        for name, value in self.env.items():
            if not (type(name) is type(value) is str):
                raise TypeError(f"env= takes texts by name, not {name!r}: {value!r}")
            if not name or "=" in name or "\0" in name + value:
                raise ValueError(f"env= has {name!r}, which no variable can be called")
        object.__setattr__(self, "env", dict(self.env))
        if type(self.nice) is not int or not _KINDEST <= self.nice <= _LEAST_KIND:
            raise ValueError(f"nice= takes a whole number from -20 to 19, not {self.nice!r}")
        if self.cwd is not None:
            # twistd leaves for another directory when it becomes a daemon
            object.__setattr__(self, "cwd", os.path.abspath(self.cwd))

    def check(self) -> None:
        """Raise OSError with a sentence if no process can be started there."""
        if self.cwd is not None and not os.path.isdir(self.cwd):
            raise NotADirectoryError(f"cwd= of the pool is no directory: {self.cwd}")


#: A process that differs in nothing.
LIKE_PARENT = Surroundings()


def env_of(text: str) -> dict[str, str]:
    """Return what ``A=1,B=2`` stands for; ``\\,`` is a comma. ValueError: it is no such list."""
    found: dict[str, str] = {}
    end = 0
    for pair in _PAIR.finditer(text):
        name, equals, value = pair[0].partition("=")
        if not equals or not name or pair.start() != end:
            break
        found[_ESCAPE.sub(r"\1", name)] = _ESCAPE.sub(r"\1", value)
        end = pair.end() + 1
    if end != len(text) + 1:
        raise ValueError(f"{text!r} is no env: it is NAME=VALUE,NAME=VALUE, and a comma is \\\\,")
    return found


def nice_of(text: str) -> int:
    """Return what is written for ``nice=``. ValueError: it is no whole number."""
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"{text!r} is no nice: it is a whole number from -20 to 19") from None


@dataclass(frozen=True)
class Initializer:
    """An initializer on its way to processes, as a job is, and its name in the log."""

    name: str
    pickled: Pickled


def initializer_of(given: InitializerFunction | str) -> Initializer:
    """
    Return an initializer, to be sent to processes.

    Args:
        given: A callable, which is pickled now; or the dotted name of one, which only the
            processes import.

    Raises:
        TypeError: it is neither.
        ValueError: the name is none.
        NotPicklable: the callable cannot be sent.
    """
    if isinstance(given, str):
        words = given.split(".")
        if len(words) < 2 or not all(word.isidentifier() for word in words):
            raise ValueError(f"{given!r} is no initializer: it is a dotted name, module.function")
        name = given
    elif callable(given):
        name = name_of(given)
    else:
        raise TypeError(f"initializer= takes a callable or its dotted name, not {given!r}")
    title = f"initializer {name}"
    try:
        return Initializer(title, dump_job(initialize, (given,), {}, title))
    except NotPicklable as problem:
        reason = sentence(problem.__cause__ or problem)
        raise NotPicklable(f"the {title} cannot be sent to a process: {reason}") from problem


def check_seconds(name: str, seconds: float) -> float:
    """Return a limit in seconds. ValueError: it is not more than 0, or infinite."""
    if not (isinstance(seconds, (int, float)) and 0 < seconds < math.inf):
        raise ValueError(f"{name}= takes seconds, more than 0, not {seconds!r}")
    return seconds

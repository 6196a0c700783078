"""
The containers of commands in the rows of tasks and of the console.

A worker process imports it, and plac reads the first of them as it is; so they
have neither types nor plac's annotations.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from twisted.internet.defer import Deferred, DeferredList

#: Line number n of a task's output.
LINE = "imported %d lines of the file"


class Increment:
    """A command that is nothing but what it is to be a task: it yields one value."""

    def increment(self, number: Any) -> Iterator[int]:
        """add one"""
        yield int(number) + 1


class InThreads(Increment):
    """The command, in a thread."""

    thcommands = ("increment",)


class InTurns(Increment):
    """The command, in turns of the reactor."""

    asyncommands = ("increment",)


class InProcesses(Increment):
    """The command, in a process."""

    mpcommands = ("increment",)


class Talk:
    """Tasks that talk, once they may: all begin at the same moment."""

    asyncommands = ("talk",)
    commands = ("go",)

    def __init__(self) -> None:
        self._waiting: list[Deferred[None]] = []
        self._talking: list[Deferred[None]] = []

    def talk(self, count: Any) -> Iterator[Any]:
        """wait for go, then put out lines"""
        may: Deferred[None] = Deferred()
        has: Deferred[None] = Deferred()
        self._waiting.append(may)
        self._talking.append(has)
        yield may
        for number in range(int(count)):
            yield LINE % number
        has.callback(None)

    def go(self) -> Iterator[Any]:
        """have all talk, and wait until they have"""
        waiting, self._waiting = self._waiting, []
        talking, self._talking = self._talking, []
        for each in waiting:
            each.callback(None)
        yield DeferredList(talking)

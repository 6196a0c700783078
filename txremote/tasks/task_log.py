"""
The log of tasks: who has submitted which, who kills one, and how each ends.

A command's name is logged, and never its arguments. A background task is an event of
level *info*; a command that its user waits for is a detail, and so is a built-in one, but ``kill``.
Tasks that the program itself submits are its own business, and there may be thousands a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from twisted.logger import LogLevel

from txremote.levels import Logger, levels
from txremote.peer.naming import user_text
from txremote.tasks.task import Task

_log = Logger("txremote.task")

#: The commands among the built-in ones that change what others have.
_ACTIONS: Final = frozenset({"kill"})


def submitted(task: Task) -> None:
    """Log a new task of somebody's."""
    if not _is_told(task):
        return
    _log.emit(
        _level(task),
        "{who} submitted the task {number}: {command}",
        who=_who(task.owner),
        number=task.no,
        command=_command(task.arglist),
    )


def asked(arglist: Sequence[str], owner: str) -> None:
    """Log a built-in command: it is no task for others, and has no number."""
    command = _command(arglist)
    level = LogLevel.info if command in _ACTIONS else LogLevel.debug
    words = " ".join(map(user_text, arglist[1:])) if command in _ACTIONS else ""
    text = "{who} said: {command} {words}" if words else "{who} said: {command}"
    _log.emit(level, text, who=_who(owner), command=command, words=words)


def killed(task: Task, who: str) -> None:
    """Log that a task is killed over the wire."""
    _log.info(
        "{who} kills the task {number} of {owner}: {command}",
        who=who,
        number=task.no,
        owner=_who(task.owner),
        command=_command(task.arglist),
    )


def ended(task: Task) -> None:
    """Log the end of a task of somebody's."""
    if not _is_told(task):
        return
    _log.emit(
        _level(task),
        "the task {number} of {who} ended after {seconds:.1f} s: {command}, {status}",
        number=task.no,
        who=_who(task.owner),
        seconds=round((task.ended or task.submitted) - task.submitted, 3),
        command=_command(task.arglist),
        status=task.status,
    )


def _is_told(task: Task) -> bool:
    # asked first, as an event that nobody sees costs as much as a short task
    return bool(task.owner) and levels.passes(_log.namespace, _level(task))


def _level(task: Task) -> Any:
    return LogLevel.debug if task.foreground else LogLevel.info


def _who(owner: str) -> str:
    return user_text(owner) if owner else "the program"


def _command(arglist: Sequence[str]) -> str:
    return user_text(str(arglist[0])) if arglist else "nothing"

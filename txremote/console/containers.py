"""
Containers of commands: the kinds there are, and the life of one.

A *container* is plac's: an object whose attributes ``commands``, ``thcommands``,
``mpcommands`` and ``asyncommands`` name its commands. It may be given as:

====================================  ==========================================
a class                               one instance a session; it is entered when
                                      the session starts, and exited after the
                                      session's last task
an instance, a module                 shared by all; entered once
a callable that returns one           called once, with the words parsed as its
                                      arguments; then as an instance
a generator function, an ``async``    a command itself: all the words of a line
function                              are its arguments (plac's "main function")
====================================  ==========================================

A `Container` is a recipe; `LiveContainer` is one that has been entered.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

from txremote.console.parsing import (
    PREFIX,
    CommandParser,
    Commands,
    HelpAsked,
    UnknownCommand,
    commands_of,
    container_parser,
    known_as,
    parse_call,
    parse_first,
    parser_of,
    split_line,
)
from txremote.errors import ContainerError, UsageError
from txremote.importing import import_longest
from txremote.levels import Logger
from txremote.tasks.keeper import SYNCHRONOUS
from txremote.tasks.stepping import Call

_log = Logger("txremote")

_HAS = "has no commands: no commands, thcommands, mpcommands or asyncommands"


class Command(NamedTuple):
    """The meaning of a command line."""

    kind: str  # the attribute of the container that names the command
    call: Call  # raises the error if the line is wrong
    words: Sequence[str]
    is_builtin: bool = False  # well formed or not


class Container:
    """The recipe of a container. Those with the same `source` give the same shared one."""

    def __init__(self, name: str, shared: bool, make: Call, source: object = None) -> None:
        self.name = name
        self.shared = shared
        self.source = self if source is None else source
        self._make = make

    def __repr__(self) -> str:
        return f"<Container {self.name}{' shared' if self.shared else ''}>"

    def enter(self, builtins: Commands) -> LiveContainer:
        """Make the container, and enter it. ContainerError, or any of its constructor's."""
        obj = self._make()
        if not is_command(obj) and not commands_of(obj):
            raise ContainerError(f"{self.name} gave a {type(obj).__name__}, which {_HAS}")
        return LiveContainer(self.name, obj, builtins)


class LiveContainer:
    """A container that was entered, and held once. It is exited with its last `release`."""

    def __init__(self, name: str, obj: object, builtins: Commands) -> None:
        self.name = name
        self.obj = obj
        self.greeting: str = getattr(obj, "__doc__", None) or ""
        self._holders = 1
        # under plac's older spelling a command may be another one
        self._older = {name: each for name, each in builtins.items() if name.startswith("_")}
        newer = {name: each for name, each in builtins.items() if name not in self._older}
        self._builtins = {"help": self.help, ".help": self.names, **newer}
        self._own = commands_of(obj)
        self._parser: CommandParser | None = None
        if not is_command(obj):
            try:
                self._parser = container_parser(obj, self._builtins)
            except AttributeError as problem:
                raise ContainerError(f"the container {name}: {problem}") from problem
        self.commands = sorted(self._parser.kinds if self._parser else newer)
        # looked up on the object, so that a module may have them (plac)
        enter = getattr(obj, "__enter__", None)
        if enter is not None:
            enter()

    def hold(self) -> None:
        """Keep it from being exited until `release` is called."""
        self._holders += 1

    def release(self) -> None:
        """Give up one hold; with the last one it is exited."""
        self._holders -= 1
        if self._holders:
            return
        leave = getattr(self.obj, "__exit__", None)
        if leave is None:
            return
        try:
            leave(None, None, None)
        except Exception:  # the container's own code, and no caller to raise it to
            _log.failure("leaving the container {name} failed", name=self.name)

    def read(self, line: str | Sequence[str]) -> Command:
        """Return the meaning of a command line, or of its words."""
        try:
            words = split_line(line) if isinstance(line, str) else list(line)
        except UsageError as problem:
            return refusal(problem, [str(line)])
        is_builtin = bool(words) and words[0] in self._older and words[0] not in self._own
        try:
            if is_builtin:
                call = parse_call(self._older[words[0]], words[1:], words[0])
                return Command(SYNCHRONOUS, call, words, True)
            if self._parser is None:
                name = self._builtin_of_command(words)
                is_builtin = name in self._builtins
                if is_builtin:
                    call = parse_call(self._builtins[name], words[1:], name)
                else:
                    call = parse_call(self.obj, words, self.name)
                return Command(SYNCHRONOUS, call, words, is_builtin)
            name = known_as(words[0], self._parser.kinds) if words else ""
            is_builtin = (name.startswith(PREFIX) or name == "help") and name not in self._own
            kind, call = self._parser.read([name, *words[1:]] if words else words)
            return Command(kind, call, words, is_builtin)
        except HelpAsked as asked:
            return Command(SYNCHRONOUS, Call(str, (asked,)), words, is_builtin)
        except UnknownCommand as problem:  # an answer, and no task to be remembered
            return refusal(problem, words, True)
        except Exception as problem:  # a converter of an argument: any code
            return refusal(problem, words, is_builtin)

    def _builtin_of_command(self, words: Sequence[str]) -> str:
        """Return the name of the built-in command that a command's words are, or ""."""
        # Only the whole name of a built-in command is none of the arguments, and not
        # even that where a dot begins an option.
        name = known_as(words[0], ()) if words else ""
        if not name.startswith(PREFIX):
            return ""
        dotted = PREFIX in getattr(self.obj, "prefix_chars", "-")
        return "" if dotted and name == words[0] else name

    def help(self, cmd: str | None = None) -> str:
        """show the commands, or help on one of them"""
        if self._parser is None:
            return parser_of(self.obj, self.name).format_help()
        if cmd is None:
            return self._parser.overview()
        return self._parser.help_on(known_as(cmd, self._parser.kinds))

    def names(self) -> str:
        """show the names of the commands alone, as plac's help does"""
        return self.help() if self._parser is None else self._parser.summary()


def refusal(problem: Exception, words: Sequence[str], is_builtin: bool = False) -> Command:
    """Return the meaning of a line that cannot be run: a command that raises the error."""
    return Command(SYNCHRONOUS, Call(_refuse, (problem,)), words, is_builtin)


def _refuse(problem: Exception) -> None:
    if isinstance(problem, UsageError):
        sys.stdout.write(f"{problem}\n")
        problem.with_traceback(None)  # of the parser, and of no interest
    raise problem


def is_command(obj: object) -> bool:
    """Return whether an object is a command: a generator function, an ``async`` function."""
    return (
        inspect.isgeneratorfunction(obj)
        or inspect.iscoroutinefunction(obj)
        or inspect.isasyncgenfunction(obj)
    )


def container_from(obj: object, words: Sequence[str] = (), name: str | None = None) -> Container:
    """Return the `Container` that an object stands for, with words as arguments. ContainerError."""
    if isinstance(obj, Container):
        return obj
    name = name or _name_of(obj)
    if is_command(obj) or (commands_of(obj) and not inspect.isclass(obj)):
        if words:
            raise ContainerError(f"{name} is no class, and takes no arguments: {' '.join(words)}")
        return Container(name, True, Call(lambda: obj), obj)
    if not callable(obj):
        raise ContainerError(f"{name}, a {type(obj).__name__}, {_HAS}")
    try:
        make = parse_call(obj, words, name)
    except (UsageError, HelpAsked) as problem:
        raise ContainerError(str(problem)) from None
    return Container(name, not inspect.isclass(obj), make, None if words else obj)


def _name_of(obj: object) -> str:
    found = getattr(obj, "__name__", None) or type(obj).__name__
    return str(found).rpartition(".")[2]


def container_from_string(text: str) -> Container:
    """Return the `Container` of ``pkg.mod.Class ARGS``, quoted as in a shell, or ContainerError."""
    name, *words = _words_of(text)
    return container_from(_import(name), words)


def container_and_rest(text: str, words: Sequence[str]) -> tuple[Container, list[str]]:
    """
    Return the `Container` of a description, and the words behind it that are a command.

    If the text has no arguments, those that the constructor needs are taken from the words,
    as plac's ``Interpreter.call`` does it. Raises as `container_from_string` does.
    """
    name, *own = _words_of(text)
    obj = _import(name)
    if own or not words or is_command(obj) or not callable(obj):
        return container_from(obj, own), list(words)
    if commands_of(obj) and not inspect.isclass(obj):
        return container_from(obj), list(words)
    try:
        make, rest = parse_first(obj, words, _name_of(obj))
    except (UsageError, HelpAsked) as problem:
        raise ContainerError(str(problem)) from None
    return Container(_name_of(obj), not inspect.isclass(obj), make), rest


def _words_of(text: str) -> list[str]:
    try:
        words = split_line(text)
    except UsageError as problem:
        raise ContainerError(str(problem)) from None
    if not words:
        raise ContainerError("a container is written pkg.mod.Class ARGS")
    return words


def _import(name: str) -> Any:
    parts = name.split(".")
    if len(parts) < 2 or not all(part.isidentifier() for part in parts):
        raise ContainerError(f"a container is written pkg.mod.Class ARGS, not {name!r}")
    try:
        found, rest = import_longest(parts, len(parts))
    except (LookupError, ImportError) as problem:
        raise ContainerError(str(problem)) from problem
    for part in rest:
        try:
            found = getattr(found, part)
        except AttributeError:
            where = getattr(found, "__name__", found)
            raise ContainerError(f"{name!r} is no container: {where!r} has no {part!r}") from None
    return found

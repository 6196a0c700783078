"""
Containers of commands: what they are made of, and the life of one.

A *container* is plac's: an object whose attributes ``commands``, ``thcommands``,
``mpcommands`` and ``asyncommands`` name its commands. What stands for one:

====================================  ==========================================
a class                               one instance a session; it is entered when
                                      the session starts, and exited after the
                                      session's last task
an instance, a module                 shared by all; entered once
a callable that gives one             called once, with the words parsed as its
                                      arguments; then as an instance
a generator function, an ``async``    a command itself: all the words of a line
function                              are its arguments (plac's "main function")
====================================  ==========================================

A `Container` is a recipe; `LiveContainer` is one that has been entered.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from twisted.logger import Logger

from txremote.console.parsing import (
    PREFIX,
    CommandParser,
    HelpAsked,
    commands_of,
    container_parser,
    known_as,
    parse_call,
    parse_first,
    parser_of,
    split_line,
)
from txremote.errors import ContainerError, UsageError
from txremote.tasks.keeper import SYNCHRONOUS
from txremote.tasks.stepping import Call
from txremote.work.spec import import_longest

_log = Logger("txremote")

_HAS = "has no commands: no commands, thcommands, mpcommands or asyncommands"


class Container:
    """
    How to get a container of commands.

    Args:
        name: What it is called, in prompts and messages.
        shared: Whether there is one for all sessions.
        make: Gives the container.
        source: What it was described by: recipes with the same give the same
            shared container.

    Attributes:
        name, shared, source: See above.
    """

    def __init__(self, name: str, shared: bool, make: Call, source: Any = None) -> None:
        self.name = name
        self.shared = shared
        self.source = self if source is None else source
        self._make = make

    def __repr__(self) -> str:
        return f"<Container {self.name}{' shared' if self.shared else ''}>"

    def enter(self, builtins: Mapping[str, Any]) -> LiveContainer:
        """
        Make the container, and enter it.

        Args:
            builtins: Commands that it has besides its own and ``help``, by name.

        Raises:
            ContainerError: what comes is none.
            Exception: what its constructor or its ``__enter__`` raises.
        """
        obj = self._make()
        if not is_command(obj) and not commands_of(obj):
            raise ContainerError(f"{self.name} gave a {type(obj).__name__}, which {_HAS}")
        return LiveContainer(self.name, obj, builtins)


class LiveContainer:
    """
    A container that was entered. It is exited when nobody holds it any more.

    Whoever makes one holds it. For the reactor's thread.

    Attributes:
        name: What it is called.
        obj: The container itself.
        greeting: Its docstring.
        commands: The names of its commands, built-in ones included.
    """

    def __init__(self, name: str, obj: Any, builtins: Mapping[str, Any]) -> None:
        self.name = name
        self.obj = obj
        self.greeting: str = getattr(obj, "__doc__", None) or ""
        self._holders = 1
        self._builtins = {"help": self.help, **builtins}
        self._parser: CommandParser | None = None
        if not is_command(obj):
            try:
                self._parser = container_parser(obj, self._builtins)
            except AttributeError as problem:
                raise ContainerError(f"the container {name}: {problem}") from problem
        self.commands = sorted(self._parser.kinds if self._parser else builtins)
        # looked up on the object, so that a module may have them (plac)
        enter = getattr(obj, "__enter__", None)
        if enter is not None:
            enter()

    def hold(self) -> None:
        """See to it that it is not exited before `release` is called."""
        self._holders += 1

    def release(self) -> None:
        """Give up a hold. With the last one it is exited."""
        self._holders -= 1
        if self._holders:
            return
        leave = getattr(self.obj, "__exit__", None)
        if leave is None:
            return
        try:
            leave(None, None, None)
        except Exception:  # a container's own code; nobody waits for it
            _log.failure("leaving the container {name} failed", name=self.name)

    def read(self, words: Sequence[str]) -> tuple[str, Call]:
        """
        Return the kind of a command line's command, and the call it means.

        Raises:
            UsageError: there is no such command, or it does not take that.
            NameError: it is short for more than one (plac).
            HelpAsked: it asks for help.
        """
        if self._parser is not None:
            first = [known_as(word, self._parser.kinds) for word in words[:1]]
            return self._parser.read([*first, *words[1:]])
        name = self._builtin_name(words[0]) if words else None
        if name is not None:
            return SYNCHRONOUS, parse_call(self._builtins[name], words[1:], name)
        return SYNCHRONOUS, parse_call(self.obj, words, self.name)

    def is_builtin(self, words: Sequence[str]) -> bool:
        """Tell whether a command line is one of a built-in command, well formed or not."""
        return bool(words) and self._builtin_name(words[0]) is not None

    def _builtin_name(self, word: str) -> str | None:
        if self._parser is not None:
            name = known_as(word, self._parser.kinds)
            own = commands_of(self.obj)
            mine = name.startswith(PREFIX) or name == "help"
            return name if mine and name not in own else None
        # All words are arguments; only the whole name of a built-in command is none,
        # and not even that where a dot begins an option.
        name = known_as(word, ())
        if not name.startswith(PREFIX) or name not in self._builtins:
            return None
        dotted = PREFIX in getattr(self.obj, "prefix_chars", "-")
        return None if dotted and name == word else name

    def help(self, cmd: str | None = None) -> str:
        """show the commands, or help on one of them"""
        if self._parser is None:
            return parser_of(self.obj, self.name).format_help()
        if cmd is None:
            return self._parser.summary()
        return self._parser.help_on(known_as(cmd, self._parser.kinds))


def is_command(obj: Any) -> bool:
    """
    Tell whether something is a command itself: a generator function, an
    ``async`` one.
    """
    return (
        inspect.isgeneratorfunction(obj)
        or inspect.iscoroutinefunction(obj)
        or inspect.isasyncgenfunction(obj)
    )


def container_from(obj: Any, words: Sequence[str] = (), name: str | None = None) -> Container:
    """
    Return the `Container` that an object stands for.

    Args:
        obj: A class, an instance, a module, a callable; see the module.
        words: The arguments of a class's constructor, or of the callable.
        name: What it is called; its own name if None.

    Raises:
        ContainerError: it stands for none, or does not take these words.
    """
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


def _name_of(obj: Any) -> str:
    found = getattr(obj, "__name__", None) or type(obj).__name__
    return str(found).rpartition(".")[2]


def container_from_string(text: str) -> Container:
    """
    Return the `Container` of a description: ``pkg.mod.Class ARGS``.

    Args:
        text: A dotted name, and behind it arguments as in a shell.

    Raises:
        ContainerError: it cannot be imported, is none, or does not take these
            arguments; a sentence.
    """
    name, *words = _words_of(text)
    return container_from(_import(name), words)


def container_and_rest(text: str, words: Sequence[str]) -> tuple[Container, list[str]]:
    """
    Return the `Container` of a description, and the words that are a command.

    Args:
        text: A dotted name, and arguments for it if they stand within.
        words: What follows. If the text has no arguments, what the constructor
            needs is taken from here, as plac's ``Interpreter.call`` does it.

    Raises:
        ContainerError: see `container_from_string`.
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

"""
Command lines of a container, read by plac's own parser.

plac parses and calls in one go, prints usage errors, and ends the program. Here its parser
(`plac_core.ArgumentParser`) returns the call it would have made, and raises the texts it would
have printed. plac keeps each parser it has ever made for the life of the program, so parsers are
made here past its registry.
"""

from __future__ import annotations

import argparse
import cmd
import inspect
import io
import re
import shlex
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NoReturn, TypeAlias

from txremote.console.extra import plac_core
from txremote.console.hints import Converter, annotations_for_plac, argspec_of
from txremote.errors import UsageError
from txremote.tasks.keeper import ASYNCHRONOUS, PROCESS, SYNCHRONOUS, THREADED
from txremote.tasks.stepping import Call

#: The attributes of a container that name its commands, and their titles in the help.
#: The first that has a command says how it runs (plac).
KINDS = {
    PROCESS: "commands run in external processes",
    THREADED: "threaded commands",
    ASYNCHRONOUS: "asynchronous commands",
    SYNCHRONOUS: "custom commands",
}

#: Built-in commands, by name.
Commands: TypeAlias = Mapping[str, Callable[..., object]]

#: The first character of the names of built-in commands.
PREFIX = "."


# A line without any of the first is its words and the blanks between them, as shlex has them.
_SYNTAX = re.compile(r"""['"\\#]""")
_WORD = re.compile(r"[^ \t\r\n]+")


class UnknownCommand(UsageError):
    """A command line begins with no command. Its str says which one may be meant."""

    def __init__(self, name: str, names: Iterable[str]) -> None:
        known = [*names]
        close = get_close_matches(name, known, 1) or get_close_matches(f"{PREFIX}{name}", known, 1)
        hint = f": did you mean {close[0]!r}?" if close else ""
        super().__init__(f"No command {name!r}{hint}")  # plac's words


class HelpAsked(Exception):
    """A command line asks for help (``-h``). Its str is the help."""


def split_line(line: str) -> list[str]:
    """Return the words of a command line as a shell and plac have them; UsageError: open quotes."""
    if _SYNTAX.search(line) is None:  # most lines, and shlex looks at each character
        return _WORD.findall(line)
    try:
        return shlex.split(line, comments=True)
    except ValueError as problem:
        raise UsageError(f"{problem}: {line.strip()}") from None


class CallParser(plac_core.ArgumentParser):  # type: ignore[misc]
    """plac's parser for one callable: its `consume` returns the command's name and a `Call`."""

    argspec: inspect.FullArgSpec
    # positional arguments of a word each, where the defaults of the options need no conversion
    _plain: Sequence[argparse.Action] | None = None

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self._late: dict[str, Converter | None] = {}
        self.color = False  # our terminal is not the client's (Python 3.14 asks ours)

    def populate_from(self, func: object) -> None:
        """Take over a callable's arguments, as plac does."""
        super().populate_from(func)
        positionals = self._get_positional_actions()
        options = [action for action in self._actions if action not in positionals]
        self._unset = {one.dest: one.default for one in options if one.dest != "help"}
        if self.fromfile_prefix_chars is None and not (
            any(action.nargs not in (None, argparse.OPTIONAL) for action in positionals)
            or any(isinstance(default, str) for default in self._unset.values())
        ):
            self._plain = positionals

    def parse_args(self, args: Sequence[str], namespace: None = None) -> argparse.Namespace:
        """
        Read the words of a line, as argparse does it.

        Where they are one for each positional argument, its search for options is left out: that
        takes longer than all else that is done for a short command.
        """
        actions, options = self._plain, tuple(self.prefix_chars)
        if actions is None or len(args) != len(actions) or any(w.startswith(options) for w in args):
            return self._parse(args)
        found = argparse.Namespace(**self._unset)
        try:
            for action, word in zip(actions, args, strict=True):
                is_text = action.type is None and action.choices is None
                setattr(found, action.dest, word if is_text else self._get_values(action, [word]))
        except argparse.ArgumentError:
            return self._parse(args)  # it has the words for it
        return found

    def _parse(self, args: Sequence[str]) -> argparse.Namespace:
        found: argparse.Namespace = super().parse_args(args)
        return found

    def _set_func_argspec(self, obj: Callable[..., object]) -> None:
        # called by plac; its own puts the parser into the registry as well
        spec = argspec_of(obj)
        annotations = annotations_for_plac(obj, spec)
        self._late = {}
        if spec.varkw:  # words such as name=value, which plac has to see as they are
            for name in filter(None, (spec.varargs, spec.varkw)):
                if name in annotations:
                    late = plac_core.Annotation.from_(annotations[name])
                    self._late[name], late.type = late.type, None
                    annotations[name] = late
        self.argspec = spec._replace(annotations=annotations)
        self.func = lambda *args, **kwargs: self._call(obj, args, kwargs)

    def _call(
        self, obj: Callable[..., object], args: tuple[object, ...], kwargs: dict[str, object]
    ) -> Call:
        spec = self.argspec
        count = len(spec.args)
        rest = [self._converted(spec.varargs, word) for word in args[count:]]
        named = {name: self._converted(spec.varkw, word) for name, word in kwargs.items()}
        return Call(obj, (*args[:count], *rest), named)

    def _converted(self, name: str | None, word: Any) -> object:
        convert = self._late.get(name or "")
        if convert is None:
            return word
        try:
            return convert(word)
        except argparse.ArgumentTypeError as problem:
            self.error(f"argument {name}: {problem}")
        except ValueError:
            what = getattr(convert, "__name__", repr(convert))
            self.error(f"argument {name}: invalid {what} value: {word!r}")

    def error(self, message: str) -> NoReturn:
        """Raise the error that argparse would print."""
        raise UsageError(f"{self.format_usage()}{self.prog}: error: {message}")

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """Raise the message that argparse would end the program with."""
        raise UsageError(message or f"{self.prog}: exit status {status}")

    def print_help(self, file: object = None) -> NoReturn:
        """Raise the help that argparse would print."""
        raise HelpAsked(self.format_help())

    def format_help(self) -> str:
        """Return argparse's help: importing plac replaces it for all its parsers."""
        return argparse.ArgumentParser.format_help(self)


def parser_of(function: object, name: str) -> CallParser:
    """Make the parser of a function, or a class's constructor; usage errors show the name."""
    parser = CallParser(**{**plac_core.pconf(function), "prog": name})
    parser.populate_from(function)
    return parser


def parse_first(
    function: Callable[..., object], words: Sequence[str], name: str
) -> tuple[Call, list[str]]:
    """
    Return the call that the first words are the arguments of, and the other words. Or HelpAsked.

    UsageError: it does not take these words, or has positional arguments that may be left out, so
    that nothing shows where its own end.
    """
    parser = parser_of(function, name)
    spec = parser.argspec
    if spec.varargs or spec.varkw or any(action.nargs == "?" for action in parser._actions):
        raise UsageError(
            f"{name} has arguments that may be left out: put those that are its own into "
            f"quotes, '{name} ARGS'"
        )
    parser.argspec = spec._replace(varargs="rest of the line")
    parser.add_argument("rest of the line", nargs="*", default=[])
    call: Call = parser.consume(list(words))[1]
    count = len(spec.args)
    return Call(function, call.args[:count]), [str(word) for word in call.args[count:]]


def parse_call(function: object, words: Sequence[str], name: str) -> Call:
    """Return the call that some words are the arguments of. Raises UsageError, HelpAsked."""
    call: Call = parser_of(function, name).consume(list(words))[1]
    return call


class CommandParser(CallParser):
    """plac's parser for a container of commands. Made by `container_parser`."""

    obj: object
    kinds: dict[str, str]

    def missing(self, name: str) -> Call:
        """Return the call for an unknown command: of the container's ``__missing__`` (plac)."""
        missing = getattr(self.obj, "__missing__", None)
        if missing is None:
            raise UnknownCommand(name, self.kinds)
        return Call(missing, (name,))

    def add_command(
        self, name: str, function: Callable[..., object], add_help: bool = True
    ) -> None:
        """Add a command, as plac's ``addsubcommands`` does it."""
        doc = textwrap.dedent(function.__doc__.rstrip()) if function.__doc__ else None
        # argparse takes a help for a format, plac's texts are none
        parser = self.subparsers.add_parser(
            name,
            add_help=add_help,
            help=doc and doc.replace("%", "%%"),
            **plac_core.pconf(function),
        )
        parser.prog = name
        parser.populate_from(function)

    def read(self, words: Sequence[str]) -> tuple[str, Call]:
        """Return a line's kind and its call. UsageError, HelpAsked, NameError: too short (plac)."""
        try:
            name, call = self.consume(list(words))
        except SystemExit:  # plac's own way to say it
            raise UsageError("there is no command in it") from None
        return self.kinds.get(name, SYNCHRONOUS), call

    def overview(self) -> str:
        """Return a line for each command, by kind: its name and what its docstring begins with."""
        width = min(20, max(map(len, self.kinds)))
        parts = []
        for kind, title in {**KINDS, PREFIX: "special commands"}.items():
            names = [name for name, its in self.kinds.items() if _group(name, its) == kind]
            lines = [f"  {name:<{width}}  {self._first_line(name)}"[:80] for name in sorted(names)]
            parts += ["\n".join([f"{title}:", *map(str.rstrip, lines)])] if lines else []
        return "\n".join(parts)

    def _first_line(self, name: str) -> str:
        about = (self.subparsers._name_parser_map[name].description or "").strip()
        return about.partition("\n")[0].strip()

    def summary(self) -> str:
        """Return the names of all commands, as plac's ``help`` does."""
        text = io.StringIO("\n")
        text.seek(1)
        pages = cmd.Cmd(stdout=text)
        names = [name for name in self.kinds if name.startswith(PREFIX)]
        pages.print_topics("special commands", sorted(names), 15, 80)
        for kind in (SYNCHRONOUS, PROCESS, THREADED, ASYNCHRONOUS):
            names = [name for name, its in self.kinds.items() if its == kind]
            pages.print_topics(
                KINDS[kind], sorted(n for n in names if not n.startswith(PREFIX)), 15, 80
            )
        return text.getvalue()

    format_help = summary  # plac

    def help_on(self, name: str) -> str:
        """Return a command's help without ``-h``, as plac's `default_help` in an interpreter."""
        found = self.subparsers._name_parser_map.get(name)
        if found is None:
            return f"Unknown command {name}"
        formatter = found._get_formatter()
        actions = [action for action in found._actions if action.dest != "help"]
        formatter.add_usage(found.usage, actions, found._mutually_exclusive_groups)
        formatter.add_text(found.description)
        for group in found._action_groups:
            formatter.start_section(group.title)
            formatter.add_text(group.description)
            formatter.add_arguments(a for a in group._group_actions if a.dest != "help")
            formatter.end_section()
        text: str = formatter.format_help()
        return text


def _group(name: str, kind: str) -> str:
    return PREFIX if name.startswith(PREFIX) else kind


def commands_of(obj: object) -> dict[str, str]:
    """Return the kinds of a container's commands by name; empty if it has none."""
    kinds: dict[str, str] = {}
    for kind in KINDS:
        names = getattr(obj, kind, ())
        for name in (names,) if isinstance(names, str) else names:
            kinds.setdefault(name, kind)
    return kinds


def container_parser(obj: object, builtins: Commands) -> CommandParser:
    """Make a container's parser. AttributeError: it names a command that it does not have."""
    kinds = commands_of(obj)
    functions = {name: getattr(obj, name) for name in kinds}
    for name, function in builtins.items():
        if name not in kinds:
            kinds[name] = SYNCHRONOUS
            functions[name] = function
    parser = CommandParser(**{**plac_core.pconf(obj), "prog": ""})
    parser.obj = obj
    parser.kinds = kinds
    parser.case_sensitive = getattr(obj, "case_sensitive", True)
    parser.subparsers = parser.add_subparsers(title="subcommands", prog="", parser_class=CallParser)
    for name, function in functions.items():
        parser.add_command(name, function, getattr(obj, "add_help", True))
    return parser


def known_as(name: str, names: Iterable[str]) -> str:
    """Return a command's name for a word: ``_list`` is an older spelling of ``.list`` (plac)."""
    if name.startswith("_") and not any(each.startswith(name) for each in names):
        return PREFIX + name[1:]
    return name

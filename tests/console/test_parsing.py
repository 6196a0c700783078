"""
Command lines read by plac's parser: what they mean, and what is said of wrong ones.
"""

from __future__ import annotations

import gc
import io
import shlex
import sys
import types
import weakref
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from typing import Any

import plac
import plac_core
import pytest

from txremote.console.parsing import (
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
from txremote.errors import UsageError


class Importer:
    "A fake importer"

    commands = ["import_file", "info"]
    thcommands = ["backup"]
    mpcommands = ["crunch"]
    asyncommands = ("watch",)

    @plac.annotations(lines=("how many lines", "option", "n", int))
    def import_file(self, fname: Any, lines: Any = 10) -> Any:
        "Import a file into the database"
        return fname, lines

    def info(self, *names, **values):  # type: ignore[no-untyped-def]
        return names, values

    def backup(self) -> Iterator[str]:
        "Back it up, 100% of it"
        yield "backed up"

    def crunch(self) -> str:
        return "crunched"

    async def watch(self, name: str) -> str:
        return f"watched {name}"


def listing() -> None:
    "list something"


@pytest.fixture
def importer() -> Importer:
    return Importer()


@pytest.fixture
def parser(importer: Importer) -> CommandParser:
    return container_parser(importer, {".list": listing, ".last": listing, "help": listing})


def test_a_line_is_split_as_in_a_shell() -> None:
    """Quotes keep words together, a comment is none."""
    assert split_line("import_file 'my file' -n 3 # now") == ["import_file", "my file", "-n", "3"]
    assert split_line("  ") == split_line("# only this") == []
    with pytest.raises(UsageError, match="No closing quotation: import_file 'my file"):
        split_line("import_file 'my file\n")


@pytest.mark.parametrize(
    "line",
    [
        "",
        " \t\r\n",
        "a b\tc\r\nd",
        " --x=1 -- =",
        "a\x0bb\x0cc\x1cd",
        "a\u3000b\xa0\x00c",
        "(a)|b;c&",
    ],
)
def test_a_line_without_syntax_is_split_as_in_a_shell(line: str) -> None:
    """Without its lexer, which sees no blanks but four characters."""
    assert split_line(line) == shlex.split(line, comments=True)


@pytest.mark.parametrize(
    "words",
    [
        *(["7", "up"], ["7", ""], ["x", "up"], ["7", "left"], ["7"], ["7", "up", "more"]),
        *(["-7", "up"], ["7", "-f"], ["7", "--", "up"], ["-n", "3", "7", "up"], ["7", "up", "-"]),
    ],
)
def test_words_that_are_the_arguments_are_read_as_by_argparse(words: list[str]) -> None:
    """The same values, or the same error; the options have their defaults."""

    @plac.annotations(
        count=("how many", "positional", None, int),
        where=("where to", "positional", None, None, ["up", "down", ""]),
        number=("a number", "option", "n", int),
        fast=("fast", "flag", "f"),
    )
    def move(count: Any, where: Any = "up", number: Any = 5, fast: Any = False) -> None:
        return None

    parser = parser_of(move, "move")
    assert parser._plain is not None

    def read(parse: Callable[[Any, list[str]], Any]) -> Any:
        try:
            return vars(parse(parser, words))
        except UsageError as error:
            return str(error)

    assert read(type(parser).parse_args) == read(ArgumentParser.parse_args)


@pytest.mark.parametrize(
    ("words", "kind", "result"),
    [
        (["import_file", "f1"], "commands", ("f1", 10)),
        (["import_file", "f1", "-n", "3"], "commands", ("f1", 3)),
        (["import_file", "--lines=3", "f1"], "commands", ("f1", 3)),
        (["imp", "f1"], "commands", ("f1", 10)),
        (["info", "a", "b=2", "c"], "commands", (("a", "c"), {"b": "2"})),
        (["crunch"], "mpcommands", "crunched"),
        (["--lines=3", "import_file", "f1"], "commands", ("f1", 3)),
    ],
)
def test_what_a_line_means(parser: CommandParser, words: list[str], kind: str, result: Any) -> None:
    """plac's options, defaults, abbreviations and name=value arguments."""
    found, call = parser.read(words)
    assert found == kind
    assert call() == result


def test_nothing_is_called_by_reading(parser: CommandParser, importer: Importer) -> None:
    """The parser returns the call, and does not make it."""
    kind, call = parser.read(["watch", "x"])
    assert kind == "asyncommands"
    assert (call.function, call.args, call.kwargs) == (importer.watch, ("x",), {})


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["wrong"], "^No command 'wrong'$"),
        (
            ["import_file"],
            r"^usage: import_file \[-h\] \[-n 10\] fname\n"
            "import_file: error: the following arguments are required: fname$",
        ),
        (["import_file", "f1", "f2"], "unrecognized arguments: f2"),
        (["import_file", "f1", "-n", "x"], "argument -n/--lines: invalid int value: 'x'"),
        (["info", "a", "a=1", "names=2"], None),
        ([], "there is no command in it"),
        (["--what"], "unrecognized arguments: --what"),
    ],
)
def test_a_wrong_line(
    parser: CommandParser,
    words: list[str],
    sentence: str | None,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """plac's sentence is raised; nothing is printed, nobody exits."""
    if sentence is None:
        parser.read(words)
    else:
        with pytest.raises(UsageError, match=sentence):
            parser.read(words)
    assert capfd.readouterr() == ("", "")


def test_an_abbreviation_of_more_than_one(parser: CommandParser) -> None:
    """It is plac's NameError."""
    with pytest.raises(NameError, match="Ambiguous command 'i': matching"):
        parser.read(["i", "f1"])


def test_a_container_may_answer_for_commands_it_has_not() -> None:
    """With plac's __missing__."""

    class Open:
        commands = ["info"]

        def info(self) -> None:
            "say something"

        def __missing__(self, name: str) -> str:
            return f"no {name} here"

    kind, call = container_parser(Open(), {}).read(["coffee", "please"])
    assert (kind, call()) == ("commands", "no coffee here")


def test_help_of_a_line(parser: CommandParser) -> None:
    """-h asks for it."""
    with pytest.raises(HelpAsked, match="Import a file into the database") as asked:
        parser.read(["import_file", "-h"])
    assert "usage: import_file [-h] [-n 10] fname" in str(asked.value)
    with pytest.raises(HelpAsked, match="threaded commands"):
        parser.read(["-h"])


def test_the_list_of_commands(parser: CommandParser) -> None:
    """By kind, as plac's help has it, with the kind that plac has lost."""
    assert parser.summary() == parser.format_help()
    assert parser.summary().splitlines() == [
        "",
        *("special commands", "================", ".last  .list", ""),
        *("custom commands", "===============", "help  import_file  info", ""),
        *("commands run in external processes", "==================================", "crunch", ""),
        *("threaded commands", "=================", "backup", ""),
        *("asynchronous commands", "=====================", "watch", ""),
    ]


@pytest.fixture
def any_docstring(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Let plac have a command whose docstring has a "%": from Python 3.14 on argparse refuses it.
    """
    monkeypatch.setattr(ArgumentParser, "_check_help", lambda *_args: None, raising=False)


@pytest.mark.usefixtures("any_docstring")
def test_the_list_of_a_container_is_plac_s(importer: Importer) -> None:
    """Line by line, where plac has the kind."""

    class Plain:
        "two kinds"

        commands = ["info", "import_file"]
        thcommands = ["backup"]
        info, import_file, backup = Importer.info, Importer.import_file, Importer.backup

    ours = container_parser(Plain(), {"help": listing}).summary()
    with plac.Interpreter(Plain()) as interpreter:
        theirs = interpreter.send("help").str

    def below(text: str) -> str:
        return text[text.index("custom commands") :].strip()

    assert below(ours) == below(theirs)


@pytest.mark.usefixtures("any_docstring")
@pytest.mark.parametrize("name", ["import_file", "info", "backup"])
def test_the_help_on_a_command_is_plac_s(parser: CommandParser, name: str) -> None:
    """Without the options that only a shell has."""

    class Plain:
        commands = ["info", "import_file", "backup"]
        info, import_file, backup = Importer.info, Importer.import_file, Importer.backup
        _interact_ = True

    with plac.Interpreter(Plain()) as interpreter:
        theirs = interpreter.send(f"help {name}").str
    assert parser.help_on(name) == theirs
    assert parser.help_on("coffee") == "Unknown command coffee"


def test_a_command_of_two_kinds_is_of_plac_s_first() -> None:
    """Processes before threads before the rest."""

    class Mixed:
        commands = ["a", "b"]
        thcommands = ["a", "c"]
        mpcommands = ["c"]

        def a(self) -> None:
            "a"

        b = c = a

    assert commands_of(Mixed()) == {"c": "mpcommands", "a": "thcommands", "b": "commands"}
    container_parser(Mixed(), {})


def test_a_container_s_own_command_comes_before_a_built_in() -> None:
    """Its help is its own."""

    class Helpful:
        commands = ["help"]

        def help(self) -> str:
            return "help yourself"

    parser = container_parser(Helpful(), {"help": listing})
    assert parser.read(["help"])[1]() == "help yourself"


def test_a_module_is_a_container() -> None:
    """Its functions are commands."""
    module = types.ModuleType("vcs", "A fake version control system")
    module.commands = "checkout", "commit"  # type: ignore[attr-defined]
    module.checkout = lambda url: ("checkout", url)  # type: ignore[attr-defined]
    module.commit = lambda: "committed"  # type: ignore[attr-defined]
    parser = container_parser(module, {})
    assert parser.read(["check", "x"])[1]() == ("checkout", "x")


def test_one_command_may_be_written_without_a_list() -> None:
    """commands = "run" is one command, and not three."""
    assert commands_of(types.SimpleNamespace(commands="run")) == {"run": "commands"}


def test_what_plac_reads_from_a_container() -> None:
    """Attributes that are options of argparse's parser."""

    class Container:
        commands = ["Set"]
        add_help = False

        def Set(self, name: str) -> str:
            return name

        Set.prefix_chars = "/"  # type: ignore[attr-defined]

    parser = container_parser(Container(), {})
    with pytest.raises(UsageError, match="unrecognized arguments: /h"):
        parser.read(["Set", "/h", "x"])
    assert parser.read(["Set", "-h"])[1]() == "-h"


def test_a_container_that_names_what_it_has_not() -> None:
    """The name is told."""
    with pytest.raises(AttributeError, match="no attribute 'coffee'"):
        container_parser(types.SimpleNamespace(commands=["coffee"]), {})


def test_a_constructor_is_read_alike() -> None:
    """A class's arguments, from words."""

    class Container:
        @plac.annotations(path=("where", "option", "c"))
        def __init__(self, dsn: str, path: str | None = None) -> None:
            self.given = (dsn, path)

    assert parse_call(Container, ["x", "-c", "y"], "Container")().given == ("x", "y")
    with pytest.raises(UsageError, match="required: dsn"):
        parse_call(Container, [], "Container")


class Store:
    @plac.annotations(configfile=("path name of the shelve", "option"))
    def __init__(self, dsn: str, configfile: Any) -> None:
        pass


@pytest.mark.parametrize(
    ("words", "args", "rest"),
    [
        (["dsn"], ("dsn", None), []),
        (["dsn", "set", "a", "1"], ("dsn", None), ["set", "a", "1"]),
        (["-c", "f", "dsn", "set", "a"], ("dsn", "f"), ["set", "a"]),
        (["dsn", "-c", "f", "set", "a"], ("dsn", "f"), ["set", "a"]),
        (["dsn", "import", "-x", "f1"], ("dsn", None), ["import", "-x", "f1"]),
    ],
)
def test_a_constructor_takes_its_own_and_leaves_the_rest(
    words: list[str], args: tuple[Any, ...], rest: list[str]
) -> None:
    """As plac's Interpreter.call does it with a program's arguments."""
    call, found = parse_first(Store, words, "Store")
    assert (call.function, call.args, found) == (Store, args, rest)


def test_a_constructor_whose_own_cannot_be_told() -> None:
    """plac refuses it, too; here the sentence says what to write."""

    class Container:
        def __init__(self, dsn: str = "default") -> None:
            pass

    with pytest.raises(UsageError, match="quotes, 'Container ARGS'"):
        parse_first(Container, ["x", "set"], "Container")


def test_parsers_go_with_their_containers() -> None:
    """plac keeps each for ever: ours are not in its registry."""

    class Container:
        commands = ["info"]

        def info(self) -> None:
            "say something"

    before = len(plac_core._parser_registry)
    container = Container()
    parser = container_parser(container, {})
    gone = weakref.ref(container)
    del container, parser
    gc.collect()
    assert gone() is None
    assert len(plac_core._parser_registry) == before


def test_older_spelling() -> None:
    """_list is .list, unless the container has such a command."""
    assert known_as("_list", ["set"]) == ".list"
    assert known_as("_list", ["_list_all"]) == "_list"
    assert known_as("list", []) == "list"


def test_the_program_s_terminal_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """A help has no colours, whoever watches the server."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    text = container_parser(Importer(), {}).help_on("import_file")
    assert "\x1b" not in text

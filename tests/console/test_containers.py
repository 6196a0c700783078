"""
The kinds of containers of commands, and the life of one.
"""

from __future__ import annotations

import sys
import types
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.work.doubles import logged
from txremote.console.containers import (
    Container,
    container_and_rest,
    container_from,
    container_from_string,
    is_command,
)
from txremote.errors import ContainerError

MODULE = """
"A module of commands"
import plac

commands = ["status"]

def status():
    return "clean"

class Importer:
    "An importer"
    commands = ["info"]
    def __init__(self, dsn, port: int = 80):
        self.given = dsn, port
    def info(self):
        return self.given

class Needy(Importer):
    def __init__(self, dsn):
        self.given = dsn,

def make(dsn):
    return Importer(dsn)

def main(name):
    yield name

importer = Importer("ready")
number = 3
"""


class Importer:
    "An importer"

    commands = ["info"]

    def __init__(self, dsn: str = "default") -> None:
        self.log: list[Any] = []
        self.dsn = dsn

    def __enter__(self) -> Importer:
        self.log.append("entered")
        return self

    def __exit__(self, *error: Any) -> None:
        self.log.append(("exited", error))

    def info(self) -> str:
        "say what it is"
        return self.dsn


def a_generator(name: str = "nobody") -> Iterator[str]:
    "A main function"
    yield name


async def a_coroutine() -> None:
    pass


async def an_asynchronous_generator() -> AsyncIterator[int]:
    yield 1


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module of containers that can be imported."""
    package = tmp_path / "a_package_of_containers"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "good.py").write_text(MODULE)
    (package / "bad.py").write_text("1 / 0")
    (package / "needy.py").write_text("import a_module_that_nobody_has")
    (package / "leaving.py").write_text("raise SystemExit(3)")
    monkeypatch.syspath_prepend(tmp_path)
    yield "a_package_of_containers.good"
    for name in [name for name in sys.modules if name.startswith(package.name)]:
        del sys.modules[name]


# -- what stands for one


def test_a_class_is_made_anew_each_time() -> None:
    """One instance a session."""
    container = container_from(Importer)
    assert (container.name, container.shared) == ("Importer", False)
    first, second = container.enter({}).obj, container.enter({}).obj
    assert first is not second


def test_a_class_gets_its_arguments() -> None:
    """As plac parses them."""
    container = container_from(Importer, ["a b"])
    assert container.enter({}).obj.dsn == "a b"


def test_an_instance_is_shared() -> None:
    """It is the container itself."""
    importer = Importer()
    container = container_from(importer)
    assert (container.name, container.shared) == ("Importer", True)
    assert container.enter({}).obj is importer
    assert repr(container) == "<Container Importer shared>"


def test_a_callable_gives_a_shared_one() -> None:
    """With the words as its arguments."""

    def make(dsn: str) -> Importer:
        return Importer(dsn)

    container = container_from(make, ["x"])
    assert (container.name, container.shared) == ("make", True)
    assert container.enter({}).obj.dsn == "x"


def test_a_module_is_one() -> None:
    """Its functions are the commands."""
    module = types.ModuleType("package.vcs")
    module.commands = ["status"]  # type: ignore[attr-defined]
    module.status = lambda: "clean"  # type: ignore[attr-defined]
    container = container_from(module)
    assert (container.name, container.shared) == ("vcs", True)
    assert container.enter({}).read(["status"])[1]() == "clean"


def test_a_generator_function_is_a_command() -> None:
    """All the words of a line are its arguments (plac's main function)."""
    live = container_from(a_generator).enter({".list": lambda: "listed", "help": None})
    assert live.greeting == "A main function"
    command = live.read(["ann"])
    assert (command.kind, list(command.call())) == ("commands", ["ann"])
    assert list(live.read([])[1]()) == ["nobody"]
    assert list(live.read(["help"])[1]()) == ["help"]
    assert live.read([".list"])[1]() == live.read(["_list"])[1]() == "listed"
    assert [live.read(words).is_builtin for words in ([".list"], ["_list"], ["help"], [])] == [
        *(True, True, False, False)
    ]
    assert "positional arguments" in live.help()


def test_a_command_whose_options_begin_with_a_dot() -> None:
    """Its options come before built-in commands, which have an older spelling."""

    def command(listing: Any) -> Iterator[Any]:
        yield listing

    command.__annotations__ = {"listing": ("list all", "flag", "list")}
    command.prefix_chars = "."  # type: ignore[attr-defined]
    live = container_from(command).enter({".list": lambda: "listed"})
    assert list(live.read([".list"])[1]()) == [True]
    assert live.read(["_list"])[1]() == "listed"


@pytest.mark.parametrize("function", [a_generator, a_coroutine, an_asynchronous_generator])
def test_what_a_command_itself_is(function: Callable[..., Any]) -> None:
    """A function that generates, or is asynchronous; a plain function makes a container."""
    assert is_command(function)
    assert not is_command(Importer)
    assert not is_command(test_what_a_command_itself_is)


def test_a_container_stands_for_itself() -> None:
    """It is not wrapped twice."""
    container = container_from(Importer)
    assert container_from(container) is container


@pytest.mark.parametrize(
    ("thing", "words", "sentence"),
    [
        (3, (), "3|int, a int, has no commands: no commands, thcommands"),
        (Importer(), ("x",), "Importer is no class, and takes no arguments: x"),
        (a_generator, ("x",), "takes no arguments"),
        (Importer, ("x", "y"), "unrecognized arguments: y"),
        (types.ModuleType("empty"), (), "empty, a module, has no commands"),
        (Importer, ("-h",), "usage: Importer"),
    ],
)
def test_what_stands_for_none(thing: Any, words: tuple[str, ...], sentence: str) -> None:
    """A sentence says why, when the program starts."""
    with pytest.raises(ContainerError, match=sentence):
        container_from(thing, words)


def test_a_callable_that_gives_something_else() -> None:
    """It is found out when it is called."""
    with pytest.raises(ContainerError, match="<lambda> gave a int, which has no commands"):
        container_from(lambda: 3).enter({})


def test_a_container_that_names_what_it_has_not() -> None:
    """The sentence names both."""

    class Half:
        commands = ["coffee"]

    with pytest.raises(ContainerError, match=r"Half: 'Half' object has no attribute 'coffee'"):
        container_from(Half).enter({})


# -- descriptions


@pytest.mark.parametrize(
    ("text", "shared", "result"),
    [
        ("{}.Importer dsn", False, ("dsn", 80)),
        ("{}.Importer 'a dsn' 81", False, ("a dsn", 81)),
        ("{}.importer", True, ("ready", 80)),
        ("{}.make dsn", True, ("dsn", 80)),
    ],
)
def test_a_container_by_name(module: str, text: str, shared: bool, result: Any) -> None:
    """A dotted name, and arguments as in a shell."""
    container = container_from_string(text.format(module))
    assert container.shared is shared
    assert container.enter({}).read(["info"])[1]() == result


def test_a_module_and_a_function_by_name(module: str) -> None:
    """They are containers, too."""
    assert container_from_string(module).enter({}).read(["status"])[1]() == "clean"
    main = container_from_string(f"{module}.main").enter({})
    assert list(main.read(["x"])[1]()) == ["x"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "a container is written pkg.mod.Class ARGS"),
        ("nodots", "written pkg.mod.Class ARGS, not 'nodots'"),
        ("not-a.name", "written pkg.mod.Class ARGS"),
        ("a.b 'x", "No closing quotation"),
        ("no_such_package.Thing", "no module 'no_such_package'"),
        ("a_package_of_containers.good.Thing", "has no 'Thing'"),
        ("a_package_of_containers.good.number", "a int, has no commands"),
        ("a_package_of_containers.good.Importer", "required: dsn"),
        ("a_package_of_containers.bad.Thing", "failed: ZeroDivisionError: division by zero"),
        ("a_package_of_containers.needy.Thing", "it needs 'a_module_that_nobody_has'"),
        ("a_package_of_containers.leaving.Thing", "failed: SystemExit: 3"),
    ],
)
@pytest.mark.usefixtures("module")
def test_a_description_that_is_wrong(text: str, sentence: str) -> None:
    """A sentence says what, when the program starts."""
    with pytest.raises(ContainerError, match=sentence):
        container_from_string(text)


@pytest.mark.parametrize(
    ("text", "words", "result", "rest"),
    [
        ("{}.Needy", ["dsn", "info", "-x"], ("dsn",), ["info", "-x"]),
        ("{}.Needy dsn", ["info"], ("dsn",), ["info"]),
        ("{}.Needy dsn", [], ("dsn",), []),
        ("{}.Importer dsn", ["info"], ("dsn", 80), ["info"]),
        ("{}.importer", ["info"], ("ready", 80), ["info"]),
        ("{}.make", ["dsn", "info"], ("dsn", 80), ["info"]),
    ],
)
def test_a_container_and_a_command(
    module: str, text: str, words: list[str], result: Any, rest: list[str]
) -> None:
    """On one command line, as plac's Interpreter.call takes them."""
    container, found = container_and_rest(text.format(module), words)
    assert found == rest
    assert container.enter({}).read(["info"])[1]() == result


def test_a_container_and_a_command_that_cannot_be_told_apart(module: str) -> None:
    """The sentence says to use quotes."""
    with pytest.raises(ContainerError, match="quotes, 'Importer ARGS'"):
        container_and_rest(f"{module}.Importer", ["dsn", "info"])
    with pytest.raises(ContainerError, match="required: dsn"):
        container_and_rest(f"{module}.Needy", [])
    container, rest = container_and_rest(f"{module}.main", ["a", "b"])
    assert (container.name, rest) == ("main", ["a", "b"])
    container, rest = container_and_rest(module, ["status"])
    assert (container.name, rest) == ("good", ["status"])


# -- the life of one


def test_it_is_entered_once_and_exited_once() -> None:
    """After the last who holds it."""
    live = container_from(Importer).enter({})
    log = live.obj.log
    live.hold()
    live.hold()
    live.release()
    live.release()
    assert log == ["entered"]
    live.release()
    assert log == ["entered", ("exited", (None, None, None))]


def test_a_module_is_entered_and_exited() -> None:
    """Where it has functions of these names (plac)."""
    log: list[str] = []
    module = types.ModuleType("vcs")
    module.commands = ["status"]  # type: ignore[attr-defined]
    module.status = lambda: "clean"  # type: ignore[attr-defined]
    module.__enter__ = lambda: log.append("entered")  # type: ignore[attr-defined]
    module.__exit__ = lambda *_error: log.append("exited")  # type: ignore[attr-defined]
    container_from(module).enter({}).release()
    assert log == ["entered", "exited"]


def test_a_container_that_cannot_be_left_is_logged() -> None:
    """Nobody waits for it."""

    class Stuck(Importer):
        def __exit__(self, *error: Any) -> None:
            raise ValueError("stuck")

    live = container_from(Stuck).enter({})
    with logged() as log:
        live.release()
    assert log[0].startswith("leaving the container Stuck failed")


def test_its_constructor_and_its_entrance_may_fail() -> None:
    """The exception is the caller's."""

    class Closed(Importer):
        def __enter__(self) -> Importer:
            raise OSError("closed")

    with pytest.raises(OSError, match="closed"):
        container_from(Closed).enter({})


def test_its_greeting_is_its_docstring() -> None:
    """The instance's own, if it has set one."""
    assert container_from(Importer).enter({}).greeting == "An importer"
    importer = Importer()
    importer.__doc__ = "An importer that is ready\n"
    assert container_from(importer).enter({}).greeting == "An importer that is ready\n"

    class Silent(Importer):
        pass

    assert container_from(Silent).enter({}).greeting == ""


def test_its_commands_and_built_in_ones() -> None:
    """All have names, are read, and have a help."""

    def listing() -> str:
        "list the tasks"
        return "listed"

    live = container_from(Importer).enter({".list": listing})
    assert live.commands == [".help", ".list", "help", "info"]
    assert live.read(["_li"])[1]() == "listed"
    assert live.read(["inf"])[1]() == "default"
    assert live.read([".li"]).is_builtin and live.read(["help"]).is_builtin
    assert not live.read(["info"]).is_builtin
    assert live.read(["help"])[1]() == live.help()
    assert "list the tasks" in live.help("_list")
    assert "say what it is" in live.read(["help", "info"])[1]()
    assert isinstance(container_from(Importer), Container)

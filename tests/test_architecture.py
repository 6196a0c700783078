"""
The house: rooms, directions and manners, read from the source.

Each module of the package is parsed, none is imported. What is checked is what
a reader relies on: a module of a lower room can be understood, and tried, with
nothing of the higher ones in mind.
"""

from __future__ import annotations

import ast
import dataclasses
import re
from collections.abc import Iterator
from functools import cache, cached_property
from pathlib import Path

import pytest

import txremote
from benchmarks.house import Source, any_per_hundred, circles, imports, sources

PACKAGE = Path(txremote.__file__).parent
TESTS = Path(__file__).parent

# Rooms, lowest first; those of one line are siblings and do not know each other.
# What follows `txremote.` in a module's name says which room it is in.
ROOMS = [
    {"importing"},
    {"errors", "interfaces", "pool_interfaces"},
    {"levels"},
    {"wire"},
    {"values"},
    {"config", "servername", "versions", "printing"},
    {"refs"},
    {"streams"},
    {"gate"},
    {"topics"},
    {"peer"},
    {"service", "classic"},
    {"views"},
    {"eventloop"},
    {"registry"},
    {"blocking", "net"},
    {"buses"},
    {"work"},
    {"tracing"},
    {"aio"},
    {"tasks"},
    {"console"},
    {"monitor"},
    {"daemon"},
    {  # the doors
        *(
            "testing",
            "cli",
            "commands",
            "shell",
            "demo",
            "jsonlog",
            "stubs",
            "mypy_plugin",
            "__main__",
            "",
        ),
        *("reaching", "running", "not_reached", "notebook", "await_shell", "passwords"),
    },
    {"contrib"},
]
# What a user of RPyC imports: it shows the blocking room, and `ThreadedServer`,
# which runs a reactor, beside it. So these are doors, and no part of the room.
FACES = {"txremote.blocking", "txremote.blocking.utils", "txremote.blocking.utils.server"}
# RPyC's modules: files that give what is elsewhere RPyC's names, and define nothing.
RPYC_NAMES = ("txremote.blocking.core.", "txremote.blocking.utils.", "txremote.blocking.version")
RANK = {name: rank for rank, names in enumerate(ROOMS) for name in names}
# Files that are one room together though each has a name of its own.
SHARED = [ROOMS[1], {"service", "classic"}, ROOMS[-2]]

# May import our own modules within a function: commands that load what they need, and a worker
# process, which imports Twisted for the first job that needs it.
LAZY = {"txremote.demo", "txremote.contrib.evennia.in_worker", "txremote.work.child"} | {
    f"txremote.commands.{name}" for name in ("call", "local", "operating", "prompts", "tasks")
}

# Calls that go by a clock which is one of their arguments.
TAKE_A_CLOCK = {
    *("addTimeout", "deferLater", "LoopingCall", "Cooperator"),
    *(
        "ReleaseSweeper",
        "LoginThrottle",
        "PrefetchedJobs",
        "Dialogue",
        "ConsoleClient",
        "Subscription",
    ),
}

# Uses of `Any` in 100 lines of code, at most: see `benchmarks.house`. It only falls.
MOST_ANY = 2.5

# What a room never imports, at any level of a module.
FORBIDDEN = {
    "wire": {"twisted", "zope", "socket", "ssl", "select", "selectors", "threading", "asyncio"},
    "refs": {"twisted.internet.reactor", "socket", "ssl", "select", "selectors"},
    "peer": {
        "twisted.internet.reactor",
        "twisted.internet.threads",
        "twisted.python.threadpool",
        "socket",
        "ssl",
        "select",
        "selectors",
        "threading",
        "_thread",
        "concurrent",
        "queue",
    },
    "service": {"twisted.internet.reactor", "socket", "ssl", "select", "selectors", "threading"},
    "classic": {"twisted.internet.reactor", "socket", "ssl", "select", "selectors", "threading"},
}


@dataclasses.dataclass(frozen=True)
class Import:
    """
    One name that a module imports.

    Attributes:
        target: The module, or the module and the name taken from it.
        line: Where.
        within: The function it stands in, or "" at module level.
    """

    target: str
    line: int
    within: str


@dataclasses.dataclass(frozen=True)
class Module:
    """
    One module of the package.

    Attributes:
        name: Its dotted name.
        source: Its file.
    """

    name: str
    source: Source

    @property
    def path(self) -> Path:
        """Its file, from the package's folder."""
        return self.source.path

    @property
    def tree(self) -> ast.Module:
        """Its source, parsed."""
        return self.source.tree

    @cached_property
    def imports(self) -> list[Import]:
        """What it imports when it runs."""
        return imports_of(self.tree, self.name, self.path.name == "__init__.py")

    @property
    def room(self) -> str:
        """The room it is in."""
        return room_of(self.name)


def room_of(name: str) -> str:
    """Return the room of one of our modules by its dotted name."""
    if name in FACES:
        return ""
    return [*name.split("."), ""][1]


@cache
def modules() -> dict[str, Module]:
    """Return every module of the package by name."""
    found = {}
    for source in sources(PACKAGE):
        name = ".".join(("txremote", source.module)) if source.module else "txremote"
        found[name] = Module(name, source)
    return found


def is_type_checking(test: ast.expr) -> bool:
    """Tell whether a condition is ``TYPE_CHECKING``."""
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )


def imports_of(tree: ast.Module, name: str = "", is_package: bool = False) -> list[Import]:
    """Return what a module imports when it runs: not what stands there for types."""
    return list(_imports(tree, name, is_package, ""))


def _imports(node: ast.AST, name: str, is_package: bool, within: str) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            for alias in child.names:
                yield Import(alias.name, child.lineno, within)
        elif isinstance(child, ast.ImportFrom):
            base = child.module or ""
            if child.level:
                up = name.split(".")
                up = up[: len(up) - child.level + is_package]
                base = ".".join([*up, base] if base else up)
            for alias in child.names:
                yield Import(f"{base}.{alias.name}", child.lineno, within)
        elif isinstance(child, ast.If) and is_type_checking(child.test):
            for other in child.orelse:
                yield from _imports(ast.Module([other], []), name, is_package, within)
        elif isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            yield from _imports(child, name, is_package, getattr(child, "name", "lambda"))
        else:
            yield from _imports(child, name, is_package, within)


def all_imports() -> list[tuple[Module, Import]]:
    """Return every import of every module."""
    return [(module, found) for module in modules().values() for found in module.imports]


def our_module(target: str) -> str | None:
    """Return which of our modules an import reaches, or None if it is not ours."""
    if target.partition(".")[0] != "txremote":
        return None
    if target in modules():
        return target
    return target.rpartition(".")[0] or target


def may_import(importer: str, imported: str) -> bool:
    """Tell whether a module of one room may import one of another."""
    if importer == imported or any({importer, imported} <= shared for shared in SHARED):
        return True
    # what has no room yet is another check's finding
    return RANK.get(imported, -1) < RANK.get(importer, len(ROOMS))


def imports_any(target: str, names: set[str]) -> bool:
    """Tell whether an import is one of some modules, or something in them."""
    return any(target == name or target.startswith(f"{name}.") for name in names)


def place(module: Module, found: Import) -> str:
    """Return where an import stands, as a sentence's beginning."""
    return f"txremote/{module.path.as_posix()}:{found.line} imports {found.target}"


@pytest.fixture(scope="module", autouse=True)
def forget() -> Iterator[None]:
    """Leave none of it to the tests after these: a million objects slow a search for garbage."""
    yield
    modules.cache_clear()


# --- the checks -----------------------------------------------------------------


def test_every_module_has_a_room() -> None:
    """A new file or folder is given its place in the order before it is used."""
    homeless = sorted(name for name, module in modules().items() if module.room not in RANK)
    assert not homeless, "\n".join(homeless)


def test_imports_go_down() -> None:
    """A module imports its own room or a lower one; siblings do not know each other."""
    wrong = []
    for module, found in all_imports():
        target = our_module(found.target)
        if target is not None and not may_import(module.room, room_of(target)):
            wrong.append(place(module, found))
    assert not wrong, "\n".join(wrong)


def test_our_imports_exist() -> None:
    """What is imported of ours is there, so that the other checks look at what is meant."""
    wrong = [
        place(module, found)
        for module, found in all_imports()
        if (target := our_module(found.target)) is not None and target not in modules()
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("room", FORBIDDEN)
def test_a_room_keeps_out_what_it_must_not_know(room: str) -> None:
    """The codec knows nothing of Twisted; a connection no reactor, socket or thread."""
    wrong = [
        place(module, found)
        for module, found in all_imports()
        if module.room == room and imports_any(found.target, FORBIDDEN[room])
    ]
    assert not wrong, "\n".join(wrong)


#: Formats of their own, which are not the wire's: a ring of bytes, Telnet, names of sockets, Arrow.
OTHER_FORMATS = {
    *("txremote.work.tickets", "txremote.work.plainphase"),
    *("txremote.console.telnet", "txremote.net.unixsockets"),
    *("txremote.values.tables", "txremote.net.tls_checks"),
}
TAGS = frozenset(range(0x1C)) - frozenset(b"\t\n\r")


def wire_codecs(module: Module) -> list[str]:
    """Tell where a module reads or writes the encoding of values by hand."""
    at = f"txremote/{module.path.as_posix()}"
    found = [
        f"{at}:{node.lineno} has {node.value!r}"
        for node in module.source.nodes
        if isinstance(node, ast.Constant)
        and type(node.value) is bytes
        and not TAGS.isdisjoint(node.value)
    ]
    found += [
        f"{at}:{each.line} imports struct"
        for each in module.imports
        if each.target.partition(".")[0] == "struct"
    ]
    return found


def test_no_room_but_the_wire_knows_how_values_are_encoded() -> None:
    """Else a change of the wire has to be made in places that do not look like it."""
    wrong: list[str] = []
    for module in modules().values():
        if module.room != "wire" and module.name not in OTHER_FORMATS:
            wrong += wire_codecs(module)
    assert not wrong, "\n".join(wrong)
    assert wire_codecs(modules()["txremote.wire.framing"])  # the check sees something


def test_the_errors_know_only_twisteds_errors() -> None:
    """``txremote.errors`` and the interfaces need next to nothing to be imported."""
    allowed = {
        "__future__",
        "zope.interface",
        "twisted.internet.error",
        "twisted.application.service",  # an IPool is an IService
        "typing",
    }
    wrong = [
        place(module, found)
        for module, found in all_imports()
        if module.room in SHARED[0]
        and our_module(found.target) is None
        and not imports_any(found.target, allowed)
    ]
    assert not wrong, "\n".join(wrong)


def test_no_module_imports_in_a_circle() -> None:
    """Any module can be imported first, and read without the ones that use it."""
    graph: dict[str, set[str]] = {name: set() for name in modules()}
    for module, found in all_imports():
        target = our_module(found.target)
        if target is not None and not found.within and target != module.name:
            graph[module.name].add(target)
    assert circle_in(graph) is None


def test_no_modules_need_each_other_to_be_read() -> None:
    """Imports for types count as well, and those within functions."""
    assert circles(imports([each.source for each in modules().values()])) == []


def circle_in(graph: dict[str, set[str]]) -> list[str] | None:
    """Return a circle of a graph, or None if it has none."""
    done: set[str] = set()

    def walk(name: str, path: list[str]) -> list[str] | None:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return None
        for target in sorted(graph.get(name, ())):
            circle = walk(target, [*path, name])
            if circle:
                return circle
        done.add(name)
        return None

    for name in sorted(graph):
        circle = walk(name, [])
        if circle:
            return circle
    return None


def test_our_own_package_is_imported_at_the_top() -> None:
    """A function-level import hides a direction; only lazy commands have a reason for one."""
    wrong = [
        place(module, found)
        for module, found in all_imports()
        if our_module(found.target) is not None and found.within and module.name not in LAZY
    ]
    assert not wrong, "\n".join(wrong)


def interface_unions(source: Source) -> list[int]:
    """Return the lines where ``|`` joins an interface to something when the module runs."""
    joined = [
        node
        for node in source.nodes
        if isinstance(node, ast.BinOp)
        and isinstance(node.op, ast.BitOr)
        and any(
            re.fullmatch(r"I[A-Z][a-z]+[A-Z]\w+", ast.unparse(x)) for x in (node.left, node.right)
        )
    ]
    hints = {
        id(part)
        for node in (source.nodes if joined else ())
        for hint in (getattr(node, "annotation", None), getattr(node, "returns", None))
        if hint is not None
        for part in ast.walk(hint)
    }
    return [node.lineno for node in joined if id(node) not in hints]


def test_interfaces_are_joined_in_hints_only() -> None:
    """The oldest zope.interface that is supported has no ``|`` at run time."""
    wrong = [
        f"txremote/{module.path.as_posix()}:{line}"
        for module in modules().values()
        for line in interface_unions(module.source)
    ]
    assert not wrong, "\n".join(wrong)
    assert interface_unions(Source(Path(), "def f(x: Loop | IReactorCore): pass")) == []
    assert interface_unions(Source(Path(), "Reactor = Loop | IReactorCore")) == [1]


def test_no_module_installs_a_reactor_by_being_imported() -> None:
    """The program chooses its reactor: whoever needs it imports it when it runs."""
    wrong = [
        place(module, found)
        for module, found in all_imports()
        if imports_any(found.target, {"twisted.internet.reactor"}) and not found.within
    ]
    assert not wrong, "\n".join(wrong)


def test_what_is_logged_passes_the_levels() -> None:
    """`--log-level` holds for a `txremote.levels.Logger`; Twisted's goes by another name here."""
    wrong = [
        f"txremote/{module.path.as_posix()}:{node.lineno}"
        for module in modules().values()
        for node in module.source.nodes
        if isinstance(node, ast.ImportFrom) and node.module == "twisted.logger"
        if any((each.asname or each.name) == "Logger" for each in node.names)
    ]
    assert not wrong, "\n".join(wrong)


def test_time_is_taken_from_a_steady_clock_and_not_from_a_reactor() -> None:
    """A reactor's time is the time of day, which may be set: see `txremote.refs.clock`."""
    wrong = []
    for module in modules().values():
        if module.name in ("txremote.refs.clock", "txremote.demo"):  # which has Twisted's own way
            continue
        for node in module.source.nodes:
            if isinstance(node, ast.Call):
                asked = [*node.args, *(keyword.value for keyword in node.keywords)]
                if isinstance(node.func, ast.Attribute) and node.func.attr in (
                    "callLater",
                    "seconds",
                ):
                    asked = [node.func.value]
                elif ast.unparse(node.func).rpartition(".")[2] not in TAKE_A_CLOCK:
                    asked = [word.value for word in node.keywords if word.arg == "clock"]
                wrong += [
                    f"txremote/{module.path.as_posix()}:{node.lineno} takes time from {name}"
                    for name in map(ast.unparse, asked)
                    if name.endswith("reactor")
                ]
    assert not wrong, "\n".join(wrong)


def test_a_room_lists_its_files() -> None:
    """The ``__init__.py`` of a room has a line for each of them, for newcomers."""
    missing = []
    for module in modules().values():
        if len(module.path.parts) != 2 or module.path.name == "__init__.py":
            continue
        listed = ast.get_docstring(modules()[f"txremote.{module.path.parts[0]}"].tree) or ""
        if f"``{module.path.stem}``" not in listed:
            missing.append(f"txremote/{module.path.as_posix()}")
    assert not missing, "\n".join(missing)


def mirrored_test(path: Path) -> Path:
    """Return where the tests of a module stand, from the folder of all tests."""
    return path.with_name(f"test_{path.name}")


def only_renames(module: Module) -> bool:
    """
    Tell whether a module gives other modules' things RPyC's names, and defines nothing.

    All of them are tested together, in ``tests/blocking/test_rpyc_names.py``.
    """
    defined = (ast.FunctionDef, ast.ClassDef)
    return module.name.startswith(RPYC_NAMES) and not any(
        isinstance(each, defined) for each in module.source.nodes
    )


def test_every_module_has_its_mirrored_test_file() -> None:
    """The tests of txremote/x/y.py are in tests/x/test_y.py, with something in them."""
    missing = []
    for module in modules().values():
        if module.path.name in ("__init__.py", "__main__.py") or only_renames(module):
            continue
        test = TESTS / mirrored_test(module.path)
        if not test.is_file() or "def test_" not in test.read_text("utf-8"):
            missing.append(f"tests/{mirrored_test(module.path).as_posix()}")
    assert not missing, "\n".join(missing)


def public_without_docstring(tree: ast.Module) -> list[str]:
    """
    Return the public classes and functions of a module that say nothing of themselves.

    A property's setter and an overload say it elsewhere, and so does a method of a base
    class in the same module.
    """
    found = []
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    said: dict[str, set[str]] = {}  # by class: its methods that have docstrings

    def walk(body: list[ast.stmt], before: str) -> None:
        for child in body:
            if isinstance(child, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
                visit(child, before)
            elif isinstance(child, (ast.If, ast.Try)):
                walk(child.body + child.orelse, before)
            if isinstance(child, ast.ClassDef):
                said[child.name] = {
                    each.name
                    for each in child.body
                    if isinstance(each, functions) and ast.get_docstring(each)
                }
                for base in child.bases:
                    said[child.name] |= said.get(getattr(base, "id", ""), set())
                if not child.name.startswith("_"):
                    walk(child.body, f"{before}{child.name}.")

    def visit(child: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef, before: str) -> None:
        owner = before.rstrip(".").rpartition(".")[2]
        elsewhere = any(
            (isinstance(mark, ast.Name) and mark.id == "overload")
            or (isinstance(mark, ast.Attribute) and mark.attr in ("setter", "deleter", "overload"))
            for mark in child.decorator_list
        )
        elsewhere = elsewhere or child.name in said.get(owner, ())
        if not child.name.startswith("_") and not elsewhere and not ast.get_docstring(child):
            found.append(f"{before}{child.name}")

    walk(tree.body, "")
    return found


def test_every_module_class_and_function_says_what_it_is_for() -> None:
    """What has no leading underscore has a docstring."""
    silent = []
    for module in modules().values():
        if not ast.get_docstring(module.tree):
            silent.append(module.name)
        silent += [f"{module.name}.{name}" for name in public_without_docstring(module.tree)]
    assert not silent, "\n".join(silent)


def test_any_becomes_rarer() -> None:
    """`Any` hides a type, and a direction: what is named by it is checked by nobody."""
    assert any_per_hundred([each.source for each in modules().values()]) <= MOST_ANY


# --- the checks are checked -------------------------------------------------------

SAMPLE = '''
from __future__ import annotations
import socket, txremote.wire.brine
from typing import TYPE_CHECKING
from txremote.refs import helpers
if TYPE_CHECKING:
    from txremote.peer.connection import Connection
else:
    import at_run_time
try:
    import ssl
except ImportError:
    ssl = None
class Public:
    from within import a_class
    def method(self):
        from twisted.internet import reactor
    async def later(self):
        """Later."""
        import asyncio
    def _private(self): pass
    @property
    def value(self):
        """Value."""
    @value.setter
    def value(self, new): pass
class Derived(Public):
    """Derived."""
    async def later(self): pass
    def another(self): pass
class _Private:
    def method(self): pass
def function():
    def inner(): pass
'''


def test_imports_are_found_wherever_they_stand() -> None:
    """At the top, in a try, a class, a function; not where they are for types only."""
    found = {(i.target, i.within) for i in imports_of(ast.parse(SAMPLE))}
    assert found == {
        ("__future__.annotations", ""),
        ("socket", ""),
        ("txremote.wire.brine", ""),
        ("typing.TYPE_CHECKING", ""),
        ("txremote.refs.helpers", ""),
        ("at_run_time", ""),
        ("ssl", ""),
        ("within.a_class", ""),
        ("twisted.internet.reactor", "method"),
        ("asyncio", "later"),
    }


def test_relative_imports_are_resolved() -> None:
    """Dots count from the module, or from the package if it is one."""
    tree = ast.parse("from . import a\nfrom .b import c\nfrom ..wire import brine")
    assert [i.target for i in imports_of(tree, "txremote.peer.x")] == [
        "txremote.peer.a",
        "txremote.peer.b.c",
        "txremote.wire.brine",
    ]
    assert [i.target for i in imports_of(tree, "txremote.peer", is_package=True)] == [
        "txremote.peer.a",
        "txremote.peer.b.c",
        "txremote.wire.brine",
    ]


def test_an_import_is_traced_to_its_module() -> None:
    """The name taken from a module is not a module; a module taken from a package is."""
    assert our_module("txremote.wire.brine.dump") == "txremote.wire.brine"
    assert our_module("txremote.errors") == "txremote.errors"
    assert our_module("txremote.exposed") == "txremote"
    assert our_module("txremote") == "txremote"
    assert our_module("txremotely.errors") is None
    assert our_module("twisted.internet.defer") is None


@pytest.mark.parametrize(
    ("importer", "imported", "allowed"),
    [
        ("wire", "errors", True),
        ("wire", "wire", True),
        ("wire", "refs", False),
        ("errors", "wire", False),
        ("interfaces", "errors", True),
        ("refs", "peer", False),
        ("peer", "refs", True),
        ("peer", "service", False),
        ("service", "peer", True),
        ("blocking", "net", False),
        ("net", "blocking", False),
        ("blocking", "service", True),
        ("work", "blocking", True),
        ("net", "work", False),
        ("console", "tasks", True),
        ("tasks", "work", True),
        ("work", "tasks", False),
        ("peer", "gate", True),
        ("gate", "peer", False),
        ("demo", "", True),
        ("daemon", "net", True),
        ("net", "", False),
        ("net", "testing", False),
    ],
)
def test_the_direction_is_as_drawn(importer: str, imported: str, allowed: bool) -> None:
    """The order of rooms in the design, as a table."""
    assert may_import(importer, imported) is allowed


def test_rooms_of_modules() -> None:
    """The package itself is a door; a module's folder is its room, however deep it is."""
    assert room_of("txremote") == ""
    assert room_of("txremote.errors") == "errors"
    assert room_of("txremote.wire.brine") == "wire"
    assert room_of("txremote.blocking.pump") == "blocking"
    assert room_of("txremote.blocking.utils.server") == ""
    assert mirrored_test(Path("blocking/utils/server.py")) == Path("blocking/utils/test_server.py")


def test_circles_are_found() -> None:
    """Of any length, and none where there is none."""
    assert circle_in({"a": {"b", "c"}, "b": {"c"}, "c": set()}) is None
    assert circle_in({"a": {"b"}, "b": {"c"}, "c": {"a"}}) == ["a", "b", "c", "a"]


def test_silence_is_found() -> None:
    """Public names, methods included; not private ones, inherited ones or setters."""
    assert public_without_docstring(ast.parse(SAMPLE)) == [
        *("Public", "Public.method", "Derived.another", "function")
    ]


def test_forbidden_names_are_whole_names() -> None:
    """``socket`` is not ``socketserver``; what is in a forbidden module is forbidden."""
    assert imports_any("socket", {"socket"})
    assert imports_any("socket.create_connection", {"socket"})
    assert not imports_any("socketserver", {"socket"})
    assert imports_any("twisted.internet.reactor", {"twisted"})

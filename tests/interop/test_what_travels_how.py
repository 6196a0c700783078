"""
The table "What travels how" of docs/values.rst: each cell is tried.

A row's first cell has Python expressions; what each gives is sent to a method without an
annotation, to one that is annotated with its type, by ``value``, and back, from a reactor, from a
script and from stock RPyC. The cell says how it arrived.
"""

from __future__ import annotations

import ast
import collections
import contextlib
import importlib.util
import ipaddress
import re
import types
import typing
import uuid
from array import array
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from pathlib import Path, PurePath, PurePosixPath

import pytest
import pytest_twisted
import rpyc
from docutils import nodes
from rpyc.core.vinegar import GenericException
from twisted.internet.threads import deferToThread

import txremote
import txremote.blocking
from tests.document_runner import doctree
from tests.processes import ROOT

msgspec = pytest.importorskip("msgspec")
attrs = pytest.importorskip("attrs")
if not hasattr(txremote, "value"):
    pytest.skip("this txremote has no values", allow_module_level=True)

COLUMNS = ("not declared", "declared", "value(x)", "declared, from RPyC", "to RPyC")


@dataclass
class Item:
    """A dataclass, as the page has it."""

    name: str
    price: Decimal


@attrs.define
class Sack:
    """An attrs class."""

    weight: float


class Box(msgspec.Struct):
    """A Struct."""

    width: int


class Point(typing.NamedTuple):
    """A named tuple."""

    x: int
    y: int


class Colour(Enum):
    """An enum."""

    RED = "r"


class Money:
    """A registered class."""

    def __init__(self, amount: int) -> None:
        self.amount = amount

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Money) and other.amount == self.amount

    __hash__ = None


class Thing:
    """A class that is no value."""


#: What expressions of the table may name.
NAMES = {
    **{each.__name__: each for each in (Item, Sack, Box, Point, Colour, Money, Thing)},
    **{each.__name__: each for each in (Decimal, Fraction, deque, array, OrderedDict, defaultdict)},
    **{each.__name__: each for each in (date, time, datetime, timedelta, timezone)},
    **{each.__name__: each for each in (PurePosixPath, Path)},
    **{each.__name__: each for each in (collections, ipaddress, re, uuid)},
}

#: The annotations of what is more than its class.
ANNOTATIONS = {
    "list": list[int],
    "tuple": tuple[int, ...],
    "set": set[int],
    "frozenset": frozenset[int],
    "dict": dict[str, int],
    "deque": deque[int],
    "OrderedDict": OrderedDict[str, int],
    "defaultdict": defaultdict[str, int],
    "Counter": collections.Counter[str],
    "NoneType": int | None,
    "function": Callable[[int], int],
    "builtin_function_or_method": Callable[[int], int],
    "Pattern": re.Pattern[str],
}


def rows():
    """Give (expression, what the page says of it by column) for each expression of the table."""
    tree = doctree(ROOT / "docs" / "values.rst")
    (section,) = [each for each in tree.findall(nodes.section) if "what-travels-how" in each["ids"]]
    head, *lines = list(next(iter(section.findall(nodes.table))).findall(nodes.row))
    assert tuple(cell.astext() for cell in head[1:]) == COLUMNS
    for line in lines:
        first, *said = line
        expressions = [each.astext() for each in first.findall(nodes.literal)]
        assert expressions, line.astext()
        for expression in expressions:
            yield expression, dict(zip(COLUMNS, (cell.astext() for cell in said), strict=True))


def importable(expression):
    """Tell whether the packages that an expression needs are installed."""
    used = {node.id for node in ast.walk(ast.parse(expression)) if isinstance(node, ast.Name)}
    packages = {"np": "numpy", "pd": "pandas", "pa": "pyarrow"}
    missing = [name for short, name in packages.items() if short in used and not _found(name)]
    for short in used & packages.keys() - set(missing):
        if _found(packages[short]):
            NAMES[short] = importlib.import_module(packages[short])
    return not missing


def _found(package):
    return importlib.util.find_spec(package) is not None


#: The table, and what its expressions give, which a fixture makes.
ROWS = []
THINGS = []


def annotated(function, annotation, result=None):
    """Annotate a function's one parameter, or its result, and expose it."""
    if annotation is not None:
        function.__annotations__ = {"thing": annotation}
    if result is not None:
        function.__annotations__ = {"return": result}
    return txremote.exposed(function)


def make_service():
    """Return a service that tells how each thing arrives, and gives each."""

    def seen(self, number, thing):
        return how(thing, THINGS[number])

    def give(self, number):
        return THINGS[number]

    members = {"seen": annotated(seen, None), "give": annotated(give, None)}
    for number, thing in enumerate(THINGS):

        def take(self, thing, number=number):
            return how(thing, THINGS[number])

        def give_declared(self, number=number):
            return THINGS[number]

        annotation = ANNOTATIONS.get(type(thing).__name__, type(thing))
        members[f"take_{number}"] = annotated(take, annotation)
        members[f"give_{number}"] = annotated(give_declared, None, annotation)
    return types.new_class(
        "Taker", (txremote.Service,), {"values": True}, lambda names: names.update(members)
    )


def how(found, sent):
    """Say in the table's words how something has arrived."""
    if isinstance(found, txremote.RemoteReference | txremote.blocking.BaseNetref):
        return "reference"
    if isinstance(found, rpyc.BaseNetref):
        return "reference"
    if found is sent and not isinstance(sent, type(None) | bool | type(...) | Enum):
        # in one process small values are the same object; those that can change are not
        return "value" if not _mutable(sent) else "the very same object"
    if isinstance(found, txremote.Record):
        return "Record"
    if type(sent) is type(Path()) and type(found) is type(PurePath()) and found == sent:
        return "pure path"
    if hasattr(sent, "dtype") and type(found) in (float, int, str) and found == sent:
        return "Python's"
    return "value" if type(found) is type(sent) and same(found, sent) else f"altered: {found!r}"


def _mutable(thing):
    return isinstance(thing, list | dict | set | bytearray | deque | Item)


def same(found, sent):
    """Compare, arrays and tables too."""
    if type(sent).__module__.partition(".")[0] in ("numpy", "pandas", "pyarrow"):
        return repr(found) == repr(sent)
    return found == sent


def problems(tried):
    """Compare what was seen with what the page says: {(number, column): word}."""
    found = []
    for (number, column), word in tried.items():
        expression, said = ROWS[number]
        if said[column] != word:
            found.append(f"{expression}: {column}: the page says {said[column]}, it is {word}")
    return "\n".join(found)


@contextlib.asynccontextmanager
async def serving():
    """Serve; give the port."""
    port = await txremote.listen("tcp:0:interface=127.0.0.1", make_service())
    try:
        yield port.getHost().port
    finally:
        await port.stopListening()


@pytest.fixture(scope="module", autouse=True)
def table():
    """Read the table, and register its class."""
    ROWS.extend((expression, said) for expression, said in rows() if importable(expression))
    THINGS.extend(eval(expression, dict(NAMES)) for expression, _said in ROWS)
    txremote.register_value(Money, lambda money: money.amount, Money, name="tests.Money")


@pytest_twisted.ensureDeferred
async def test_from_a_reactor():
    """Each cell between txremotes, by calls that are awaited."""
    tried = {}
    async with serving() as port:
        conn = await txremote.connect(f"tcp:127.0.0.1:{port}")
        for number, thing in enumerate(THINGS):
            take = getattr(conn.root, f"take_{number}")
            tried[number, "not declared"] = await conn.root.seen(number, thing)
            tried[number, "declared"] = await take(thing)
            try:
                tried[number, "value(x)"] = await conn.root.seen(number, txremote.value(thing))
            except TypeError:
                tried[number, "value(x)"] = "refused"
        await conn.close()
    assert not problems(tried)


@pytest_twisted.ensureDeferred
async def test_a_result_is_as_value_has_it():
    """What is declared as a result arrives as by ``value``: the caller has declared nothing."""
    tried = {}
    async with serving() as port:
        conn = await txremote.connect(f"tcp:127.0.0.1:{port}")
        for number, thing in enumerate(THINGS):
            found = await getattr(conn.root, f"give_{number}")()
            word = how(found, thing)
            refused = ROWS[number][1]["value(x)"] == "refused" and word == "reference"
            tried[number, "value(x)"] = "refused" if refused else word
        await conn.close()
    assert not problems(tried)


@pytest_twisted.ensureDeferred
async def test_from_a_script():
    """Each cell between txremotes, by calls that wait."""

    def script(port):
        tried = {}
        conn = txremote.blocking.connect("127.0.0.1", port)
        for number, thing in enumerate(THINGS):
            tried[number, "not declared"] = conn.root.seen(number, thing)
            tried[number, "declared"] = getattr(conn.root, f"take_{number}")(thing)
            try:
                tried[number, "value(x)"] = conn.root.seen(number, txremote.value(thing))
            except TypeError:
                tried[number, "value(x)"] = "refused"
        conn.close()
        return tried

    async with serving() as port:
        assert not problems(await deferToThread(script, port))


@pytest_twisted.ensureDeferred
async def test_from_stock_rpyc():
    """Each cell with RPyC's own client, which lets its objects' fields be read."""

    def script(port):
        tried = {}
        conn = rpyc.connect("127.0.0.1", port, config={"allow_public_attrs": True})
        for number, thing in enumerate(THINGS):
            tried[number, "not declared"] = conn.root.seen(number, thing)
            try:
                word = getattr(conn.root, f"take_{number}")(thing)
            except GenericException:
                word = "refused"
            tried[number, "declared, from RPyC"] = word
            for give in (conn.root.give, getattr(conn.root, f"give_{number}")):
                found = give(number)
                tried[number, "to RPyC"] = how(found, thing)
        conn.close()
        return tried

    async with serving() as port:
        assert not problems(await deferToThread(script, port))

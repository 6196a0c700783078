"""
Random graphs of calls, made at once or one after the other. Not a test file.

A graph is a list of `Node`: each is a call of the root's, or of what an earlier node gives, with
what earlier nodes give among its arguments. `at_once` makes all calls before any is answered,
`step_by_step` awaits each before the next; what comes out of both is the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from hypothesis import strategies as st

from txremote import RemoteReference, get_remote


class Box:
    """An object with a number; it is reached by the same names at home and from afar."""

    def __init__(self, number: int) -> None:
        self.exposed_number = self.number = number

    def exposed_double(self) -> Box:
        return type(self)(self.number * 2)

    def exposed_joined(self, other: Any = None, *more: Any, key: Any = None) -> Any:
        return self.number, other, *more, key

    def exposed_itself(self) -> Box:
        return self

    double, itself, joined = exposed_double, exposed_itself, exposed_joined


class Boxes:
    """What the roots of all servers have."""

    def exposed_box(self, number: Any) -> Box:
        return Box(number if type(number) is int else 7)

    def exposed_text(self, number: Any) -> str:
        return f"text {number if type(number) is int else '?'}"

    def exposed_echo(self, *given: Any, key: Any = None) -> Any:
        return given[0] if len(given) == 1 and key is None else (*given, key)

    def exposed_nothing(self, *_given: Any) -> None:
        return None

    def exposed_fail(self, *_given: Any) -> None:
        raise ValueError("as it was told to")


class Earlier(NamedTuple):
    """What an earlier node gives, counted back from its user."""

    back: int


class Node(NamedTuple):
    """One call."""

    target: Earlier | None
    path: tuple[str, ...]
    args: tuple[Any, ...]
    key: Any


OF_ROOT = ["box", "text", "echo", "nothing", "fail"]
OF_OBJECT = ["double", "joined", "itself", "upper", "missing"]

_earlier = st.builds(Earlier, st.integers(1, 4))
_given = st.recursive(
    _earlier | st.integers(0, 3) | st.just("own"),
    lambda inner: st.lists(inner, max_size=2).map(tuple),
    max_leaves=3,
)
_args = st.lists(_given, max_size=2).map(tuple)
_of_root = st.builds(
    Node, st.none(), st.sampled_from(OF_ROOT).map(lambda name: (name,)), _args, st.none() | _given
)
_of_object = st.builds(
    Node,
    _earlier,
    st.sampled_from(OF_OBJECT).map(lambda name: (name,)),
    st.just(()) | _args,
    st.none(),
)

#: A graph.
graphs = st.lists(_of_root | _of_object, min_size=2, max_size=9)


def _named(node: Node, given: Callable[[Any], Any]) -> dict[str, Any]:
    return {} if node.key is None else {"key": given(node.key)}


def _made(root: Any, node: Node, given: Callable[[Any], Any], target: Any) -> Any:
    """Make a node's call of its target; return what to await, or a value."""
    at = root if node.target is None else target
    for name in node.path:
        at = getattr(at, name)
    return at(*map(given, node.args), **_named(node, given))


def _lookup(results: list[Any], own: Box) -> Callable[[Any], Any]:
    def given(value: Any) -> Any:
        if type(value) is Earlier:
            return results[-value.back] if value.back <= len(results) else value.back
        if type(value) is tuple:
            return tuple(map(given, value))
        return own if value == "own" and type(value) is str else value

    return given


class Failed(NamedTuple):
    """What a node has failed with."""

    error: BaseException


def _first_failure(value: Any) -> Failed | None:
    if type(value) is Failed:
        return value
    if type(value) is tuple:
        return next(filter(None, map(_first_failure, value)), None)
    return None


async def _told(value: Any) -> Any:
    """Return a result so that two of them can be compared."""
    if type(value) is Failed:
        text = str(value.error).split("\n")[0]
        return type(value.error).__name__, "" if type(value.error) is AttributeError else text
    if type(value) is RemoteReference:
        return "box", await get_remote(value, "number")
    if type(value) is Box:
        return "own", value.number
    if type(value) is tuple:
        return [await _told(item) for item in value]
    return value


async def at_once(root: Any, graph: list[Node]) -> list[Any]:
    """Make all calls, then await them."""
    own, made = Box(1000), []
    for node in graph:
        given = _lookup(made, own)
        target = given(node.target) if node.target is not None else None
        made.append(root.echo(target) if _is_plain(target) else _made(root, node, given, target))
    return [await _told(await _outcome(each)) for each in made]


async def step_by_step(root: Any, graph: list[Node]) -> list[Any]:
    """Await each call before the next."""
    own, results = Box(1000), []
    for node in graph:
        given = _lookup(results, own)
        target = given(node.target) if node.target is not None else None
        used = (target, *map(given, node.args), given(node.key))
        failure = _first_failure(used if not _is_number(node, results) else (target,))
        if failure is not None:
            results.append(failure)
        elif _is_number(node, results):
            results.append(await _outcome(root.echo(target)))
        else:
            results.append(await _stepped(root, node, given, target))
    return [await _told(each) for each in results]


def _is_number(node: Node, results: list[Any]) -> bool:
    return node.target is not None and node.target.back > len(results)


def _is_plain(target: Any) -> bool:
    return type(target) is int


async def _stepped(root: Any, node: Node, given: Callable[[Any], Any], target: Any) -> Any:
    try:
        made = _made(root, node, given, target)
    except Exception as error:  # a value at home has no such name
        return Failed(error)
    return await _outcome(made)


async def _outcome(made: Any) -> Any:
    try:
        return await made if hasattr(made, "__await__") else made
    except Exception as error:
        return Failed(error)

"""
Copies of objects of a peer that sends nothing by value but what brine has: any stock RPyC.

A list is read by BUFFITER in chunks. A dict's keys are read so and its values asked for one by
one, since a stock client refuses ``items``. Dates, Decimals and their like are read from their
``repr`` (`txremote.refs.reprs`), and an object's declared fields by GETATTR. All that can be
asked for is on the way at the same time, so a copy takes about as many round trips as it is deep.
Nothing is unpickled, no code of the peer's runs here, and no class is looked up by its name.

`Copying` is the work without input and output: it gives requests and takes in their answers.
Each object that is met becomes a node (`txremote.refs.copy_steps`), one for as many places as it
stands in, and the nodes are put together when all is there. So shared parts stay shared, and one
that holds itself is found. `Copier` sends the requests, in the connection's context.

A peer may say anything. It is held to a number of values, of bytes and of references, and its
answers are looked at by their exact type. Its lengths are not asked for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from twisted.internet.defer import Deferred, fail
from twisted.python.failure import Failure

from txremote.refs.copy_nodes import ANYTHING, kind_of
from txremote.refs.copy_steps import Node, TupleNode, is_node
from txremote.refs.ports import Answer
from txremote.refs.reference import RemoteReference
from txremote.refs.wanted import Place, Request, Wanted, wrong
from txremote.wire.limits import Limits
from txremote.wire.naming import with_article
from txremote.wire.plain import ATOMS

#: Most objects that are copied at once, each of which is held until the end.
MOST_OBJECTS = 50_000

# Requests that are on the way at the same time.
_WINDOW = 100

_WEIGHTY = frozenset({str, bytes, tuple})


class Copying:
    """
    A copy of one or more values.

    Args:
        limits: ``max_items`` and ``max_inflated`` hold for all that is copied together, and
            ``max_depth`` for how deep it nests.
        direct: Whether the peer is a stock RPyC, which reads a container without its iterator.
        leave: Called with a class's name and a place where an object is not copied; raises if
            the reference may not stay.

    Attributes:
        requests: Those that can be sent by now, in order.
        asked: How many there have been.
        items: How many values have come.
    """

    def __init__(
        self, limits: Limits, direct: bool, leave: Callable[[str, Place], None] | None = None
    ) -> None:
        self.requests: deque[Request] = deque()
        self.direct = direct
        self.items = 0
        self._bytes = 0
        self._limits = limits
        self._leave = leave
        self._nodes: dict[tuple[int, int], Node] = {}  # they keep the objects of the ids
        self._cells: list[object] = []

    def add(self, value: object, wanted: Wanted | None, label: str) -> None:
        """Copy one value; the label says in errors where it stands."""
        self._cells.append(self.placed(value, wanted, Place(label)))

    def count(self, items: int) -> None:
        """Charge some values. Raises TypeError where there are more than ``max_items``."""
        self.items += items
        self._check_items(self.items)

    def _check_items(self, items: int) -> None:
        if items > self._limits.max_items:
            raise TypeError(f"more than {self._limits.max_items} values to copy (option max_items)")

    def weigh(self, answer: object) -> None:
        """Charge the bytes of an answer. Raises TypeError: there are more than ``max_inflated``."""
        if type(answer) is tuple:
            for item in answer:
                if type(item) in _WEIGHTY:
                    self.weigh(item)
        elif type(answer) is str or type(answer) is bytes:
            self._bytes += len(answer)
            if self._bytes > self._limits.max_inflated:
                raise TypeError(
                    f"more than {self._limits.max_inflated} bytes to copy (option max_inflated)"
                )

    def placed(self, value: object, wanted: Wanted | None, place: Place) -> object:
        """Return what stands for a value: itself, or the node of its copy."""
        kind = type(value)
        if kind in ATOMS:
            return value
        if place.depth > self._limits.max_depth:
            raise self._too_deep(place)
        if type(value) is tuple:
            self.count(len(value))
            if ATOMS.issuperset(map(type, value)):
                return value
            parts = wanted.parts("builtins.tuple") if wanted is not None else None
            node = TupleNode(self, value, parts, place)
            return node if any(is_node(cell) for cell in node.cells) else value
        if type(value) is RemoteReference:
            return self._placed_reference(value, wanted, place)
        return value

    def _placed_reference(
        self, reference: RemoteReference, wanted: Wanted | None, place: Place
    ) -> object:
        name, _class_id, instance_id = reference._pack
        try:
            parts = wanted.parts(name) if wanted is not None and instance_id else None
        except TypeError as problem:
            raise wrong(place, str(problem)) from None
        if parts is None:
            if self._leave is not None:
                self._leave(name, place)
            return reference
        key = id(reference), id(wanted)
        node = self._nodes.get(key)
        if node is None:
            if len(self._nodes) >= MOST_OBJECTS:
                raise wrong(place, f"more than {MOST_OBJECTS} objects to copy")
            node = self._nodes[key] = kind_of(name, parts)(self, reference, parts, place)
            node.begin()
        return node

    def finished(self) -> list[object]:
        """
        Return the copies, when all requests are answered.

        Raises:
            TypeError: an object holds itself, or what the peer gave cannot be put together.
        """
        for cell in self._cells:
            if is_node(cell):
                self._make(cell, 0)
        return [cell.made if is_node(cell) else cell for cell in self._cells]

    def forget(self) -> None:
        """Let go of the peer's objects at once: nodes and their copy are a cycle."""
        self.requests.clear()
        self._nodes.clear()
        self._cells.clear()

    def _make(self, node: Node, depth: int) -> None:
        """Make a node's copy, and before it those of its parts."""
        if node.being_made:
            raise wrong(node.place, "a container that holds itself cannot be copied by value")
        if depth + node.height > self._limits.max_depth:
            raise self._too_deep(node.place)
        if node.height:  # it is made, for another place
            return
        node.being_made = True
        values: list[object] = []
        height, size = 0, len(node.cells)
        for cell in node.cells:
            if is_node(cell):
                self._make(cell, depth + 1)
                height, size = max(height, cell.height), size + cell.size
                cell = cell.made  # noqa: PLW2901
            values.append(cell)
        self._check_items(size)
        try:
            node.made = node.make(values)
        except (TypeError, ValueError) as problem:  # unhashable keys, say
            raise wrong(node.place, f"the peer's object cannot be copied: {problem}") from problem
        node.height, node.size = height + 1, size
        node.being_made = False

    def _too_deep(self, place: Place) -> TypeError:
        return wrong(place, f"nested deeper than {self._limits.max_depth} (option max_depth)")


class Copier:
    """
    Sends the requests of a copy, a number of them at a time. In the connection's context.

    Attributes:
        asked: How many have been sent.
        done: The copies. It fails with what the peer answers, and may be cancelled.
    """

    def __init__(self, copying: Copying, send: Callable[[Request], Answer]) -> None:
        self._copying = copying
        self._send = send
        self._waiting: set[Answer] = set()
        self._filling = False
        self._ended = False
        self.asked = 0
        self.done: Deferred[list[object]] = Deferred(lambda _deferred: self._stop())

    def start(self) -> Deferred[list[object]]:
        """Send the first requests; returns ``done``."""
        self._fill()
        return self.done

    def _fill(self) -> None:
        if self._filling:  # an answer came while its request was written
            return
        self._filling = True
        requests = self._copying.requests
        while requests and len(self._waiting) < _WINDOW and not self._ended:
            request = requests.popleft()
            self.asked += 1
            try:
                answer = self._send(request)
            except Exception:  # it is too late for more
                self._fail(Failure())
                break
            if not answer.called:
                self._waiting.add(answer)
            answer.addBoth(self._answered, request, answer)
        self._filling = False
        if not self._waiting and not self._ended:
            self._finish()

    def _answered(self, result: object, request: Request, answer: Answer) -> None:
        self._waiting.discard(answer)
        if self._ended:
            return
        try:
            if not isinstance(result, Failure):
                self._copying.weigh(result)
                request.taken(result)
            elif request.refused is not None and isinstance(result.value, Exception):
                request.refused(result.value)
            else:
                self._fail(result)
        except Exception:  # of what the peer gave, or what it answered
            self._fail(Failure())
        else:
            self._fill()

    def _finish(self) -> None:
        try:
            copies = self._copying.finished()
        except Exception:  # of what the peer gave
            self._fail(Failure())
        else:
            self._stop()
            self.done.callback(copies)

    def _fail(self, failure: Failure) -> None:
        self._stop()
        self.done.errback(failure)

    def _stop(self) -> None:
        self._ended = True
        waiting, self._waiting = self._waiting, set()
        for answer in waiting:
            answer.cancel()
        self._copying.forget()


def _send(request: Request) -> Answer:
    """Send a request, whose answer may take as long as that of a call."""
    target = request.args[0]
    assert type(target) is RemoteReference
    outbound = target._connection.outbound
    return outbound.request_with_default_timeout(request.handler, request.args)


def copied(
    value: object,
    limits: Limits,
    direct: bool,
    refused: Callable[[str], Exception] | None,
) -> Answer:
    """
    Copy a container of Python's own, with all that is in it: what ``obtain`` does.

    Args:
        value: A reference to it, or a tuple with references in it.
        direct: See `Copying`.
        refused: Called with the class's name of another object that is met, returns what the
            copy fails with; None for a TypeError.
    """

    def leave(class_name: str, _place: Place) -> None:
        if refused is not None:
            raise refused(class_name)
        raise TypeError(
            f"{with_article(class_name)} cannot be copied by value without unpickling what the "
            "peer sends, which can run any code here: obtain(proxy, unpickle=True) if you trust "
            "it, or have it sent as a value, by value(x) or by an annotation and values=True"
        )

    copying = Copying(limits, direct, leave)
    try:
        copying.add(value, ANYTHING, "the value")
    except Exception:  # it is no container, and who waits is to see it
        return fail()
    return Copier(copying, _send).start().addCallback(_only)


def _only(copies: list[object]) -> object:
    return copies[0]

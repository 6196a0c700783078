"""
The steps by which an object of a stock peer is copied, whatever kind it is of.

A *node* is an object that is being copied. It asks for its parts, takes in the answers, and makes
the copy when the copies of its parts are there (`txremote.refs.copying`). The kinds that differ
in what is made of the parts are in `txremote.refs.copy_nodes`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeGuard

from txremote.errors import RemoteStopIteration
from txremote.refs.iteration import FIRST_CHUNK, GROWTH, LARGEST_CHUNK
from txremote.refs.reference import RemoteReference
from txremote.refs.wanted import Parts, Place, Request, Work, wrong
from txremote.wire import consts
from txremote.wire.plain import ATOMS

_Take = Callable[[tuple[object, ...]], None]

# Most items that a container may have that is read in one request.
_AT_ONCE = 100


class Node:
    """One object that is being copied, for all places where it stands."""

    __slots__ = (
        "being_made",
        "cells",
        "height",
        "made",
        "parts",
        "place",
        "reference",
        "size",
        "work",
    )

    def __init__(self, work: Work, reference: RemoteReference, parts: Parts, place: Place) -> None:
        self.work = work
        self.reference = reference
        self.parts = parts
        self.place = place
        self.cells: list[object] = []  # values, and nodes of values
        self.made: object = None
        self.being_made = False
        self.height = 0  # of the copy, once it is made, and how many values are in it
        self.size = 0

    @property
    def class_name(self) -> str:
        """The full name of the object's class, as the peer gives it."""
        return self.reference._pack[0]

    def begin(self) -> None:
        """Ask for the first parts."""
        raise NotImplementedError

    def make(self, values: list[object]) -> object:
        """Return the copy, made of the copies of the cells."""
        raise NotImplementedError

    def _ask(
        self,
        handler: int,
        *args: object,
        taken: Callable[[object], None],
        refused: Callable[[Exception], None] | None = None,
    ) -> None:
        self.work.requests.append(Request(handler, (self.reference, *args), taken, refused))


def is_node(cell: object) -> TypeGuard[Node]:
    """Tell whether a node stands for a value; the value itself is not asked."""
    return issubclass(type(cell), Node)


class TupleNode(Node):
    """A tuple with references in it: it came by value, and needs no request."""

    __slots__ = ()

    def __init__(
        self, work: Work, values: tuple[object, ...], parts: Parts | None, place: Place
    ) -> None:
        self.work = work
        self.place = place
        self.being_made = False
        self.height = 0
        self.size = 0
        self.made = None
        self.cells = [
            work.placed(value, parts.of_item(index) if parts else None, place.at(f"[{index}]"))
            for index, value in enumerate(values)
        ]

    def make(self, values: list[object]) -> object:
        return tuple(values)


class IteratedNode(Node):
    """An object that is read by its iterator."""

    __slots__ = ()

    def begin(self) -> None:
        if self.work.direct:
            self._ask(
                *(consts.HANDLE_BUFFITER, _AT_ONCE),
                taken=self._take_if_all,
                refused=lambda _error: self._iterate(),
            )
        else:
            self._iterate()

    def _take_if_all(self, chunk: object) -> None:
        """Take the first items, which a stock RPyC gives of a container itself."""
        if type(chunk) is tuple and len(chunk) < _AT_ONCE:
            self.take(chunk)
        else:
            self._iterate()  # which begins again

    def _iterate(self) -> None:
        self._ask_iterator(self.reference, self.take)

    def _ask_iterator(self, target: object, take: _Take) -> None:
        def taken(iterator: object) -> None:
            self._next_chunk(iterator, FIRST_CHUNK, take)

        if type(target) is not RemoteReference:
            raise wrong(self.place, "the peer gave nothing that can be iterated over")
        args = (target, "__iter__", (), ())
        self.work.requests.append(Request(consts.HANDLE_CALLATTR, args, taken))

    def _next_chunk(self, iterator: object, count: int, take: _Take) -> None:
        def taken(chunk: object) -> None:
            if type(chunk) is not tuple:
                raise wrong(self.place, "the peer gave no tuple of its items")
            if chunk:
                take(chunk)
                self._next_chunk(iterator, min(count * GROWTH, LARGEST_CHUNK), take)

        def refused(error: Exception) -> None:
            if not isinstance(error, RemoteStopIteration):
                raise error

        if type(iterator) is not RemoteReference:
            raise wrong(self.place, "the peer gave no iterator of it")
        request = Request(consts.HANDLE_BUFFITER, (iterator, count), taken, refused)
        self.work.requests.append(request)

    def take(self, chunk: tuple[object, ...]) -> None:
        """Take in some of the items."""
        self.work.count(len(chunk))
        cells = self.cells
        for item in chunk:
            if type(item) not in ATOMS:
                index = len(cells)
                wanted = self.parts.of_item(index)
                item = self.work.placed(item, wanted, self.place.at(f"[{index}]"))  # noqa: PLW2901
            cells.append(item)


class EmptiedNode(IteratedNode):
    """
    An object with more to it than its items: the ``repr`` of it without them, which is short,
    has that.
    A stock peer opens multiplication, and no names of such objects.
    """

    __slots__ = ("_shown",)

    pattern: re.Pattern[str]

    def begin(self) -> None:
        super().begin()
        self._ask(consts.HANDLE_CALLATTR, "__mul__", (0,), (), taken=self._show)

    def _show(self, emptied: object) -> None:
        if type(emptied) is not RemoteReference:
            raise wrong(self.place, "the peer gave no such object without its items")
        self.work.requests.append(Request(consts.HANDLE_REPR, (emptied,), self._shown_as))

    def _shown_as(self, text: object) -> None:
        shown = self.pattern.fullmatch(text) if type(text) is str else None
        if shown is None:
            raise wrong(self.place, f"a {self.class_name} whose repr is of something else")
        self._shown: str | None = shown[1]

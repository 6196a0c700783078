"""A stock RPyC that answers the requests of a copy by hand: no wire, no threads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import count, islice
from typing import Any

from twisted.internet.defer import Deferred

from txremote.refs.copy_nodes import ANYTHING
from txremote.refs.copying import Copying
from txremote.refs.reference import RemoteReference
from txremote.refs.wanted import Parts, Request, Wanted
from txremote.wire import consts
from txremote.wire.limits import DEFAULT_LIMITS, Limits
from txremote.wire.plain import ATOMS

_SAFE = frozenset({"__iter__", "__getitem__", "__next__", "__str__", "__repr__", "__mul__"})


class StockPeer:
    """
    Answers as rpyc 6.0.2 does.

    Args:
        public: Whether it was given ``allow_public_attrs``.
        direct: Whether BUFFITER takes a container as well as its iterator.
    """

    def __init__(self, public: bool = False, direct: bool = True) -> None:
        self.public = public
        self.direct = direct
        self.requests: list[tuple[int, str | None]] = []
        self._numbers = count(1)
        self._references: dict[int, RemoteReference] = {}
        self._objects: dict[RemoteReference, object] = {}

    def sent(self, value: Any) -> Any:
        """Return a value as it arrives."""
        if type(value) in ATOMS:
            return value
        if type(value) is tuple:
            return tuple(map(self.sent, value))
        known = self._references.get(id(value))
        if known is None:
            kind = type(value)
            pack = (f"{kind.__module__}.{kind.__name__}", id(kind), next(self._numbers))
            known = RemoteReference(None, b"", pack, lambda *_all: None)  # type: ignore
            self._references[id(value)] = known
            self._objects[known] = value
        return known

    def local(self, value: Any) -> Any:
        """Return what arrives of an argument."""
        if type(value) is tuple:
            return tuple(map(self.local, value))
        return self._objects[value] if type(value) is RemoteReference else value

    def answer(self, request: Request) -> Any:
        """Return the answer to a request, or raise its error."""
        name = request.args[1] if len(request.args) > 1 else None
        self.requests.append((request.handler, name if type(name) is str else None))
        return self.sent(self._answer(request.handler, *map(self.local, request.args)))

    def _answer(self, handler: int, obj: Any, *args: Any) -> object:
        if handler == consts.HANDLE_BUFFITER:
            if not self.direct and not hasattr(obj, "__next__"):
                raise AttributeError("no iterator")
            return tuple(islice(obj, args[0]))
        if handler == consts.HANDLE_REPR:
            return repr(obj)
        if handler == consts.HANDLE_GETATTR:
            return self._attribute(obj, args[0])
        assert handler == consts.HANDLE_CALLATTR
        return self._attribute(obj, args[0])(*args[1])

    def _attribute(self, obj: Any, name: str) -> Any:
        if hasattr(obj, f"exposed_{name}"):
            return getattr(obj, f"exposed_{name}")
        if self.public or name in _SAFE:
            return getattr(obj, name)
        raise AttributeError(f"cannot access {name!r}")

    def run(self, copying: Copying) -> Any:
        """Answer all that a copy asks for, and return what it gives."""
        while copying.requests:
            request = copying.requests.popleft()
            try:
                answer = self.answer(request)
            except Exception as error:
                if request.refused is None:
                    raise
                request.refused(error)
            else:
                copying.weigh(answer)
                request.taken(answer)
        (copied,) = copying.finished()
        return copied

    def copied(
        self, value: object, wanted: Wanted | None = ANYTHING, limits: Limits = DEFAULT_LIMITS
    ) -> Any:
        """Return the copy of a value of the peer's."""
        copying = Copying(limits, self.direct)
        copying.add(self.sent(value), wanted, "items")
        return self.run(copying)


class Fields:
    """Wants the fields of an object of a class; of containers, all of their items as itself."""

    def __init__(self, name: str, /, **fields: Wanted | None) -> None:
        self._name = name
        self._fields: Mapping[str, Wanted | None] = fields

    def parts(self, class_name: str) -> Parts | None:
        if class_name.rpartition(".")[2] == self._name:
            return Parts(fields=self._fields)
        return Parts(self, ANYTHING)


class Delayed:
    """Sends requests by hand: keeps the Deferreds until they are fired."""

    def __init__(self, answer: Callable[[Request], Any]) -> None:
        self._answer = answer
        self.waiting: list[tuple[Request, Deferred[Any]]] = []
        self.cancelled = 0

    def send(self, request: Request) -> Deferred[Any]:
        """Keep a request."""
        deferred: Deferred[Any] = Deferred(self._count)
        self.waiting.append((request, deferred))
        return deferred

    def _count(self, _deferred: Deferred[Any]) -> None:
        self.cancelled += 1

    def fire(self, index: int = 0) -> None:
        """Answer one of those that wait."""
        request, deferred = self.waiting.pop(index)
        try:
            found = self._answer(request)
        except Exception as error:
            deferred.errback(error)
        else:
            deferred.callback(found)

"""
Both reference tables of a connection, as boxing asks for them.

Boxing and unboxing are single passes that may stop half way, so two things are
noted here while they go: which objects were counted as handed out (a message
that is never sent has to take that back), and whether a key stood for nothing
(the rest of the message is unboxed all the same, else the references that
stand behind would be lost and never given back). Values in a message are noted in
the same place, so that a message without any costs nothing more.
"""

from __future__ import annotations

import types
from typing import Any, Final, Protocol

from twisted.internet.defer import Deferred

import txremote.values.libraries  # noqa: F401  numpy's, Arrow's and pandas' values are known
from txremote.config import ConnectionConfig
from txremote.errors import NotSendable
from txremote.peer.exports import Export, ExportTable
from txremote.peer.imports import ImportTable
from txremote.peer.promise import StillToCome
from txremote.refs.netref import BaseNetref, NetrefMethod
from txremote.refs.reference import RemotePath, RemoteReference
from txremote.refs.typed import TypedNetref, TypedPath, TypedReference
from txremote.wire.boxing import (
    SENDABLE_DEPTH,
    VALUE_HEAD,
    box_arguments_into,
    box_into,
    box_mixed_into,
)
from txremote.wire.brine import dump_int, dump_into
from txremote.wire.consts import FEATURE_VALUES
from txremote.wire.exceptions import without_addresses
from txremote.wire.keys import LOCAL_REF_HEAD, PROMISE_HEAD, REMOTE_REF_HEAD, load_key
from txremote.wire.naming import class_name, sentence, with_article
from txremote.wire.undumpable import Undumpable
from txremote.wire.values import ReceivedValue

#: For `ReferenceTables.noted`: no key.
VALUES: Final = b"values"

#: For `ReferenceTables.noted`: results of other calls, and perhaps values.
PROMISES: Final = b"promises"


class Promised:
    """In the arguments of a request: the result of the call of a number."""

    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        self.number = number


_NOT_VALUES: dict[type, str] = {
    RemotePath: "a path is not its value: await it first",
    TypedPath: "a path is not its value: await it first",
    types.CoroutineType: "a coroutine is not its result: await it first",
    # elsewhere than in a value, its thread has fetched it
    NetrefMethod: (
        "a method of a remote object, inside a value, has not been read yet: give it as an "
        "argument of its own, or a function of yours that calls it"
    ),
    Promised: "",  # it is looked up here, so that others cost nothing more
}


class Peer(Protocol):
    """The connection, as far as its references are concerned."""

    config: ConnectionConfig
    features: frozenset[str]  # the extensions that the peer knows

    def make_imports(self) -> ImportTable:
        """Make the table of the peer's objects that are held here."""


class ReferenceTables:
    """
    The objects of ours that one connection's peer holds, and those of its that we hold.

    Attributes:
        noted: A key that stood for nothing in the message that is being read, or why a value in
            it cannot be built; else `VALUES`, if it has any; else None, as nearly always.
    """

    __slots__ = ("_boxed", "_imports", "_owner", "exports", "noted")

    def __init__(self, owner: Peer, exports: ExportTable) -> None:
        self._owner = owner
        self._boxed: list[Export] | Export | None = None  # of one no list: it may be kept for long
        self._imports: ImportTable | None = None
        self.exports = exports
        self.noted: bytes | Exception | None = None

    @property
    def imports(self) -> ImportTable:
        """Those of the peer's that are held here. Made when it is used first."""
        if self._imports is None:
            self._imports = self._owner.make_imports()
        return self._imports

    @property
    def imported(self) -> int:
        """How many those are."""
        return 0 if self._imports is None else len(self._imports)

    def box(self, out: list[bytes], value: object, *more: object) -> None:
        """Append boxed values to a list of chunks, or leave no trace and raise NotSendable."""
        self._boxed = None
        mark = len(out)
        out.append(VALUE_HEAD)
        try:
            try:
                dump_into(out, value, SENDABLE_DEPTH)
            except Undumpable:  # something in it goes by reference
                del out[mark:]
                box_mixed_into(out, value, self)
            if more:
                for another in more:
                    box_into(out, another, self)
        except (NotSendable, KeyboardInterrupt):
            self.take_back()
            raise
        except BaseException as problem:  # a class may run any code when it is looked at
            self.take_back()
            raise _unsendable(value, problem) from problem

    def box_marked(self, out: list[bytes], args: tuple[object, ...]) -> None:
        """Do as `box` for arguments of which one is marked as a value, at least."""
        self._boxed = None
        try:
            box_arguments_into(out, args, self)
        except (NotSendable, KeyboardInterrupt):
            self.take_back()
            raise
        except BaseException as problem:
            self.take_back()
            raise _unsendable(args, problem) from problem

    def take_back(self) -> None:
        """Undo the counting of the last `box`: its message is not sent."""
        boxed, self._boxed = self._boxed, None
        for export in (boxed,) if isinstance(boxed, Export) else boxed or ():
            if self.exports.find(export.key) is export:
                self.exports.give_back(export, 1)

    # -- as boxing asks (txremote.wire.boxing.References)

    def box_reference(self, value: Any) -> bytes:
        """
        Return the boxed reference to a value, and count it as handed out. NotSendable if it
        is still to come or not handed out, or the peer holds too many objects.
        """
        kind = type(value)
        if kind is TypedReference or kind is TypedNetref:
            value = value._target
            kind = type(value)
        if issubclass(kind, BaseNetref):  # of a thread's, given to a reactor
            value = value.____ref__
            kind = RemoteReference
        if kind is RemoteReference and value._connection is self._owner:
            key: bytes = value._key
            return LOCAL_REF_HEAD + key
        if kind in _NOT_VALUES:
            if kind is Promised:
                return PROMISE_HEAD + dump_int(value.number)
            if kind is NetrefMethod and value.____fetched__ is not None:
                return self.box_reference(value.____fetched__)
            raise NotSendable(_NOT_VALUES[kind])
        if issubclass(kind, Deferred):
            raise StillToCome("a Deferred is not its result: await it first")
        export = self.exports.hand_out(value)
        before = self._boxed
        if before is None:
            self._boxed = export
        elif isinstance(before, Export):
            self._boxed = [before, export]
        else:
            before.append(export)
        return REMOTE_REF_HEAD + export.key

    def unbox_local(self, key: bytes) -> Any:
        """Return our object of a key; None, and a note in ``noted``, if there is none."""
        export = self.exports.find(key)
        if export is None:
            self.noted = key
            return None
        return export.target

    def unbox_remote(self, key: bytes) -> object:
        """Return the reference to the peer's object, as `ImportTable.receive` does."""
        return self.imports.receive(key)

    def refuse(self, problem: Exception) -> None:
        """Note why a value of the message that is being read cannot be built."""
        self.noted = problem

    def takes_values(self) -> bool:
        """Tell whether the peer has said that it knows values."""
        return FEATURE_VALUES in self._owner.features

    def most_items(self) -> int:
        """Return how many items one value may have that is sent."""
        return self._owner.config.max_items

    def received(self, value: object, size: int) -> ReceivedValue:
        """Note that the message has a value in it, and return it as it is unboxed."""
        if self.noted is None:
            self.noted = VALUES
        return ReceivedValue(value, False, (), size)

    def unbox_promise(self, number: int) -> Promised:
        """Note that the message has the result of another call in it, and return what names it."""
        if self.noted is None or self.noted is VALUES:
            self.noted = PROMISES
        return Promised(number)

    def within(self) -> _Within:
        """Begin a value of the peer's."""
        return _Within(self)

    def held(self, key: bytes) -> Export | None:
        """Return what the peer holds by a key, or None."""
        return self.exports.find(key)

    def check_noted(self) -> bool:
        """
        Raise KeyError, as a stock peer does, if a key stood for nothing since last time, or
        ValueError if a value could not be built. Return whether results of other calls are meant.
        """
        if self.noted is not None:
            key, self.noted = self.noted, None
            if key is VALUES or key is PROMISES:
                return key is PROMISES
            if isinstance(key, Exception):
                raise key
            pack = load_key(key)
            raise KeyError(f"no object here has the id {pack}: it was released, or never given")
        return False

    def check_uncalled(self, what: str) -> None:
        """Do as `check_noted`, of what is no call: ValueError if results of calls are meant."""
        if self.check_noted():
            raise ValueError(f"{what} uses the result of a call, which only calls do")

    def find_pack(self, key: bytes) -> Export:
        """Return the export that a key names by value; KeyError if it names none."""
        export = self.exports.find(key)
        if export is None:
            self.noted = key
            self.check_noted()
            raise AssertionError
        return export


def _unsendable(value: object, problem: BaseException) -> NotSendable:
    return NotSendable(
        f"{with_article(class_name(type(value)))} cannot be sent, for looking at it raises "
        + without_addresses(sentence(problem))
    )


class _Within:
    """The references in one value of the peer's (`txremote.wire.keys.ReferencesWithin`)."""

    __slots__ = ("_mixed", "_own", "_tables", "box_reference", "refuse")

    def __init__(self, tables: ReferenceTables) -> None:
        self._tables = tables
        self._own: set[int] = set()
        self._mixed = False
        self.box_reference = tables.box_reference
        self.refuse = tables.refuse

    def unbox_local(self, key: bytes) -> object:
        """Return our object of a key, as `ReferenceTables.unbox_local` does."""
        found = self._tables.unbox_local(key)
        self._own.add(id(found))
        return found

    def unbox_remote(self, key: bytes) -> object:
        """Return the reference to the peer's object."""
        self._mixed = True
        return self._tables.unbox_remote(key)

    def received(self, value: object, size: int) -> ReceivedValue:
        """Note that the message has a value in it, and return it as it is unboxed."""
        if self._tables.noted is None:
            self._tables.noted = VALUES
        return ReceivedValue(value, self._mixed, self._own, size)

"""
Exports: the objects of ours that the peer holds references to.

Each time an object is boxed by reference its owner counts one more; the holder says with DEL
or RELEASE how many of those it gives back. At zero the object is dropped. RPyC sends memory
addresses as ids; here they are counters, never reused, never 0. A peer asks once for what
the objects of a class id can do, so an object that hides a method of its class, by an
attribute of its own, goes by another class id.

An id pack is ``(name, class id, instance id)``. A stock peer finds its ready-made proxies for
builtin types by the name. The instance id is 0 where the object is itself a class.
"""

from __future__ import annotations

import sys
import types
import weakref
from collections.abc import Iterator
from contextvars import Context
from functools import lru_cache
from itertools import count, islice
from random import randrange
from typing import Any, Final, Protocol, TypeAlias, final

from txremote.errors import NotSendable
from txremote.gate.exposure import has_attributes, method_names
from txremote.peer.abandoned import is_generator
from txremote.refs.reference import RemoteReference
from txremote.wire.consts import IdPack
from txremote.wire.keys import key_of, load_key
from txremote.wire.naming import attributes_of, full_name

# A third peer may make up as many classes as it likes.
_MOST_REMOTE = 10_000

# Objects of one class may hide its methods in many ways.
_MOST_HIDING = 100

_attribute = object.__getattribute__

# The first object of a connection is as a rule its root, with the same key in each.
_shared_key = lru_cache(256)(key_of)


class Granted:
    """A class that the peer may receive because it read it by an exposed name."""

    __slots__ = ("target",)

    def __init__(self, target: object) -> None:
        self.target = target


@final
class Export:
    """
    One object that the peer holds.

    Attributes:
        key: The bytes of its boxed reference behind the head; its id pack is in them.
        count: How many times it was sent and not given back.
        left: For the next BUFFITER: the exception that interrupted the last one, which it raises;
            or where an asynchronous generator runs, once it does.
    """

    __slots__ = ("count", "key", "left", "target")

    def __init__(self, target: object, pack: IdPack) -> None:
        self.target = target
        self.key = key_of(pack) if pack[2] > 1 else _shared_key(pack)
        self.count = 0
        self.left: BaseException | Context | None = None

    @property
    def pack(self) -> IdPack:
        """Its id pack, read out of its key: there may be very many of these."""
        return load_key(self.key)

    @property
    def context(self) -> Context | None:
        """The context that is left, if any."""
        return self.left if isinstance(self.left, Context) else None

    @property
    def number(self) -> int:
        """The number in the object's repr and hash, in place of its address."""
        _name, kind, instance = self.pack
        return instance or kind


class _Known(weakref.ref[type]):
    """A class with its name, as id packs have it, and its id."""

    __slots__ = ("hiding", "methods", "name", "number")

    hiding: dict[frozenset[str], int]  # the ids of its objects that hide methods, by which
    methods: frozenset[str]  # empty where its objects cannot hide them
    name: str
    number: int


class ClassNumbers:
    """One id per class."""

    __slots__ = ("_known", "_numbers", "_remote")

    def __init__(self) -> None:
        # from anywhere, for stock RPyC takes what is equal for one class, whichever of its
        # connections it came over (rpyc.core.netref.BaseNetref.__instancecheck__); all of
        # them take as many bytes
        self._numbers = count(randrange(10**9, 2 * 10**9))
        self._remote: weakref.WeakKeyDictionary[object, dict[int, int]] | None = None
        # by identity, for a metaclass may forbid hashing, and weak, for a class
        # may be made anew for every call
        self._known: dict[int, _Known] = {}

    def __len__(self) -> int:
        return len(self._known)

    def of(self, kind: type) -> tuple[str, int]:
        """Return a class's name, as id packs have it, and its id."""
        known = self._of(kind)
        return known.name, known.number

    def of_object(self, obj: object) -> tuple[str, int]:
        """Return the class name and id of an object, another id where it hides a method."""
        kind = type(obj)
        known = self._known.get(id(kind))
        if known is None or known() is not kind:
            known = self._of(kind)
        if known.methods:
            own = _attribute(obj, "__dict__")
            if not known.methods.isdisjoint(own):
                return known.name, self._hiding(known, known.methods.intersection(own))
        return known.name, known.number

    def _hiding(self, known: _Known, hidden: frozenset[str]) -> int:
        if hidden not in known.hiding:
            if len(known.hiding) >= _MOST_HIDING:
                known.hiding.clear()
            known.hiding[hidden] = next(self._numbers)
        return known.hiding[hidden]

    def _of(self, kind: type) -> _Known:
        identity = id(kind)
        found = self._known.get(identity)
        if found is not None and found() is kind:
            return found
        known = self._known

        def forget(reference: weakref.ref[type]) -> None:
            if known.get(identity) is reference:
                del known[identity]

        made = _Known(kind, forget)
        made.name = _short(full_name(kind))
        made.number = next(self._numbers)
        made.methods = method_names(kind) if has_attributes(kind) else frozenset()
        made.hiding = {}
        known[identity] = made
        return made

    def of_remote(self, connection: Any, number: int) -> int:
        """Return the id for a class of a third peer's, to which that peer gave a number."""
        if not connection.is_txremote:
            return next(self._numbers)  # an address, which means another class by and by
        if self._remote is None:
            self._remote = weakref.WeakKeyDictionary()
        known = self._remote.setdefault(connection, {})
        if number not in known:
            if len(known) >= _MOST_REMOTE:
                known.clear()
            known[number] = next(self._numbers)
        return known[number]


class HandingOut(Protocol):
    """The part of a policy that a table of exports uses."""

    def check_handed_out(self, target: object) -> None:
        """Raise `NotSendable` for what is not handed out."""


# By what an export is found: its id pack, and its object.
_Key: TypeAlias = bytes | int | tuple[int, int]
# Of a table without exports. Nothing is ever put in.
_NONE: Final[dict[_Key, Export]] = {}


class LettingGo(Protocol):
    """The part of a connection that a table of exports uses."""

    def let_go(self, held: list[object]) -> None:
        """Empty a list that holds a generator, where the generator's code runs."""


def _identity(target: Any) -> int | tuple[int, int]:
    """
    Return what two objects have in common that are the same to a peer. Python makes a bound method
    anew whenever it is read: a peer that keeps callbacks in a set is to find the one it has.
    """
    kind = type(target)
    if kind is types.MethodType:
        return id(target.__self__), id(target.__func__)
    if kind is types.BuiltinMethodType:
        return id(target.__self__), hash(target)  # made of both addresses
    return id(target)


class ExportTable:
    """
    The objects that one connection has handed out.

    Args:
        most: How many there may be (option ``max_exports``).
        classes: The class ids, where connections share them.
        policy: Says what is not handed out; None: all is.
        owner: Lets generators go that the peer has given back; None: they are dropped here.
    """

    __slots__ = ("_classes", "_found", "_most", "_number", "_owner", "_policy")

    def __init__(
        self,
        most: int,
        classes: ClassNumbers | None = None,
        policy: HandingOut | None = None,
        owner: LettingGo | None = None,
    ) -> None:
        self._most = most
        self._policy = policy
        self._owner = owner
        self._number = 0  # the last instance id
        # one alone, or each by its key and by the identity of its object: a listener may have
        # very many connections of which each has handed out its root, and nothing else
        self._found: dict[_Key, Export] | Export = _NONE
        self._classes = classes if classes is not None else ClassNumbers()

    def __len__(self) -> int:
        found = self._found
        return len(found) >> 1 if type(found) is not Export else 1

    def __iter__(self) -> Iterator[Export]:
        found = self._found
        if type(found) is Export:
            return iter((found,))
        return islice(found.values(), 0, None, 2)  # the two of one are neighbours

    def hand_out(self, target: Any) -> Export:
        """
        Return the export of an object, which counts it as handed out once more.

        Raises:
            NotSendable: it is not handed out, or the peer holds too many objects.
        """
        granted = type(target) is Granted
        if granted:
            target = target.target
        export = self.of(target)
        if export is None:
            if not granted and self._policy is not None:
                self._policy.check_handed_out(target)
            if len(self) >= self._most:
                raise NotSendable(
                    f"the peer holds {self._most} references already (option max_exports)"
                )
            export = Export(target, self._pack(target))
            self._enter(export)
        export.count += 1
        return export

    def _enter(self, export: Export) -> None:
        found = self._found
        if type(found) is Export:
            found = self._found = {_identity(found.target): found, found.key: found}
        elif not found:
            self._found = export
            return
        found[_identity(export.target)] = found[export.key] = export

    def find(self, key: bytes) -> Export | None:
        """Return the export that a key stands for, or None."""
        found = self._found
        if type(found) is not Export:
            return found.get(key)
        return found if found.key == key else None

    def held(self, key: bytes) -> object:
        """Return the object that a key stands for; KeyError if there is none."""
        export = self.find(key)
        if export is None:
            raise KeyError(key)
        return export.target

    def of(self, target: object) -> Export | None:
        """Return the export of an object, or None if the peer does not hold it."""
        found = self._found
        if type(found) is not Export:
            return found.get(_identity(target))
        same = found.target is target or _identity(found.target) == _identity(target)
        return found if same else None

    def give_back(self, export: Export, count: object) -> None:
        """Take back references; a ValueError if they are no positive int or more than given."""
        if type(count) is not int or count < 1:
            raise ValueError(f"a release of {count!r} references")
        if count > export.count:
            raise ValueError(f"a release of {count} references where {export.count} were given")
        export.count -= count
        if export.count == 0:
            found = self._found
            if export is found:
                self._found = _NONE
            elif type(found) is not Export:
                found.pop(export.key, None)
                found.pop(_identity(export.target), None)
            self._drop(export)

    def clear(self) -> None:
        """Drop everything: the connection has ended."""
        dropped = list(self)
        self._found = _NONE
        for export in dropped:
            self._drop(export)

    def _drop(self, export: Export) -> None:
        # whoever still has the entry does not keep the object
        target, export.target = export.target, None
        if is_generator(target):
            held = [target]
            del target
            if self._owner is None:
                held.clear()
            else:
                self._owner.let_go(held)

    def _pack(self, target: Any) -> IdPack:
        if type(target) is RemoteReference:
            # rpyc 6.0.2 get_id_pack: what is passed on goes by its own class's name
            name, remote, instance = target._pack
            number = self._classes.of_remote(target._connection, remote)
            return _short(name), number, self._next_number() if instance else 0
        if issubclass(type(target), type):
            name, number = self._classes.of(target)
            return name, number, 0
        name, class_number = self._classes.of_object(target)
        if type(target) is types.ModuleType:
            # rpyc 6.0.2 get_id_pack: a module goes by its own name
            told = attributes_of(target).get("__name__")
            name = told if type(told) is str else "module"
            if name not in sys.modules:
                name = f"builtins.{name}"
        return _short(name), class_number, self._next_number()

    def _next_number(self) -> int:
        self._number += 1
        return self._number


def _short(name: str) -> str:
    """Return a name that fits an id pack: 1 to 255 bytes of UTF-8."""
    if name.isascii() and 0 < len(name) < 256:
        return name
    return name.encode("utf-8", "replace")[:255].decode("utf-8", "ignore") or "?"

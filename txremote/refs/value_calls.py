"""
Calls whose arguments leave as values because somebody's annotations say so.

The peer describes the methods of its root, and of classes that are asked about; a callback's
annotation is this side's own. Either is noted at the reference, in the cache of its calls'
encoded heads: a call of anything else finds its head there and is made as ever, and for one
that takes values there is no head in it, so that it comes here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from txremote.refs.ports import Answer
from txremote.refs.reference import RemoteReference
from txremote.wire.plain import ATOMS
from txremote.wire.values import AsValue

Path = tuple[str, ...]
Args = tuple[object, ...]
Kwargs = dict[str, object]

_PREFIX = "exposed_"  # as netrefs know it

#: What travels in the same way as a value and otherwise.
_SAME = ATOMS | {AsValue, RemoteReference}


class Arguments(Protocol):
    """How the arguments of one function travel."""

    def prepared(self, args: Args, kwargs: Kwargs) -> tuple[Args, Kwargs]:
        """Return them as they are boxed. Raises `WrongValue` where they are not as declared."""

    def answered(self, asked: Answer) -> Answer:
        """Return the Deferred of a call's result as its caller has it."""


class ValueCalls(dict[Path, bytes]):
    """
    The encoded heads of a reference's calls, by path.

    Attributes:
        plans: How the arguments of calls that take values travel.
        heads: The encoded heads of these.
    """

    __slots__ = ("heads", "plans")

    def __init__(self, plans: Mapping[Path, Arguments]) -> None:
        super().__init__()
        self.plans = plans
        self.heads: dict[Path, bytes] = {}


class DescribedArguments:
    """How the peer says that a method of its takes its arguments."""

    __slots__ = ("_all_named", "_all_places", "_names", "_places")

    def __init__(
        self, places: frozenset[int], names: frozenset[str], all_places: int | None, all_named: bool
    ) -> None:
        self._places = places
        self._names = names
        self._all_places = all_places  # from this place on, or None
        self._all_named = all_named

    def prepared(self, args: Args, kwargs: Kwargs) -> tuple[Args, Kwargs]:
        """Return arguments with those marked that are values."""
        places, rest = self._places, self._all_places
        marked = [
            AsValue(arg)
            if type(arg) not in _SAME and (place in places or (rest is not None and place >= rest))
            else arg
            for place, arg in enumerate(args)
        ]
        if kwargs:
            every, names = self._all_named, self._names
            kwargs = {
                name: as_sent(arg) if every or name in names else arg
                for name, arg in kwargs.items()
            }
        return tuple(marked), kwargs

    def answered(self, asked: Answer) -> Answer:
        """Return it as it is: the peer's annotations say what it sends."""
        return asked


def as_sent(value: object) -> object:
    """Return an argument that is declared as a value as it is boxed."""
    return value if type(value) in _SAME else AsValue(value)


def unmarked(value: object) -> object:
    """Return an argument or a result without the mark that a program gave it."""
    return value.value if type(value) is AsValue else value


def described(description: object) -> dict[Path, Arguments]:
    """
    Return how the methods that a peer describes take their arguments, by path.

    Args:
        description: Pairs of a name and what `CallPlan.describe` gives. Whatever else a peer
            sends is left out.
    """
    found: dict[Path, Arguments] = {}
    for pair in description if type(description) is tuple else ():
        if type(pair) is tuple and len(pair) == 2 and type(pair[0]) is str:
            arguments = _arguments(pair[1])
            if arguments is not None:
                found[(pair[0],)] = arguments
    return found


def described_methods(entries: object) -> dict[Path, Arguments]:
    """Return the same of an answer to DESCRIBE: by both names of a method that has a prefix."""
    found: dict[Path, Arguments] = {}
    for entry in entries if type(entries) is tuple else ():
        if type(entry) is tuple and len(entry) > 3 and type(entry[0]) is str:
            arguments = _arguments(entry[3])
            if arguments is not None:
                found[(entry[0],)] = arguments
                found.setdefault((entry[0].removeprefix(_PREFIX),), arguments)
    return found


def _arguments(described: object) -> DescribedArguments | None:
    if type(described) is not tuple or len(described) < 4:
        return None
    positional, values, all_places, all_named = described[:4]
    if not (_are_names(positional) and _are_names(values)):
        return None
    if not values and all_places is not True and all_named is not True:
        return None  # nothing of it is a value
    names = frozenset(values)
    places = frozenset(place for place, name in enumerate(positional) if name in names)
    return DescribedArguments(
        places, names, len(positional) if all_places is True else None, all_named is True
    )


def _are_names(names: Any) -> bool:
    return type(names) is tuple and all(type(name) is str for name in names)


def note_plans(reference: RemoteReference, plans: Mapping[Path, Arguments]) -> None:
    """
    Have calls of a reference's methods take their arguments by these plans from now on. The plans
    of others stay.
    """
    calls = reference._call_prefixes
    known = calls.plans if type(calls) is ValueCalls else {}
    if not plans.keys() <= known.keys():
        reference._replace_call_prefixes(ValueCalls({**plans, **known} if known else plans))

"""
What the attacks of ``test_advisories.py`` are made on: run by twistd, not a test.

`Vault` has objects of every kind for a peer to hold, and lets a peer have done to
an object of its own whatever a careless method may do to one: make an array of
it, copy it, pickle it. `Lane` is the same in worker threads.
"""

from __future__ import annotations

import copy
import operator
import pickle

from zope.interface import Interface, implementer

import txremote.blocking as rpyc
from txremote import Service, expose, exposed, threaded


class Safe:
    """An object with a secret and a door."""

    exposed_label = "safe"

    def __init__(self):
        self.secret = "the combination"
        self.opened = False

    def exposed_knock(self):
        return "who is there?"

    def open(self):
        """Not for peers."""
        self.opened = True


class IDial(Interface):
    """Opened to peers."""

    def turn(by):
        """Turn it."""


expose(IDial)


@implementer(IDial)
class Dial(Safe):
    """The same, by an interface."""

    def turn(self, by):
        return by


def array(x, *args):
    """Do what ``numpy.array(x)`` does with an object that has ``__array__``."""
    return type(x).__array__(x, *args)


def iterated(x):
    """Go through it, but not for ever."""
    return [item for item, _ in zip(x, range(3), strict=False)]


#: What a method may do to an object that a peer has sent.
CARELESS = {
    "array": array,
    "array of a type": lambda x: array(x, "float64"),
    "its own __array__": lambda x: x.__array__(),
    "its own __array__ of a type": lambda x: x.__array__("float64", copy=True),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "deepcopy in a list": lambda x: copy.deepcopy([x, {"x": x}]),
    "pickle": lambda x: pickle.loads(pickle.dumps(x)),
    "pickle in a list": lambda x: pickle.loads(pickle.dumps([x])),
    "pickle by the oldest protocol": lambda x: pickle.loads(pickle.dumps(x, 0)),
    "reduce_ex": lambda x: x.__reduce_ex__(2),
    "reduce": lambda x: x.__reduce__(),
    "getstate": lambda x: x.__getstate__(),
    "obtain": rpyc.classic.obtain,
    "float": float,
    "int": int,
    "bytes": bytes,
    "index": operator.index,
    "str": str,
    "repr": repr,
    "format": lambda x: f"{x:>10}",
    "hash": hash,
    "len": len,
    "equal": lambda x: x == x,
    "less": lambda x: x < 3,
    "sum": lambda x: x + 1,
    "item": lambda x: x[0],
    "iteration": iterated,
    "with": lambda x: operator.methodcaller("__enter__")(x),
    "isinstance": lambda x: isinstance(x, (list, dict)),
    "class": lambda x: x.__class__,
    "bool": bool,
    "array interface": lambda x: x.__array_interface__,
    "array struct": lambda x: x.__array_struct__,
    "call": lambda x: x(),
}


def tell(action, x):
    """Return what comes of it, in a word."""
    try:
        action(x)
    except Exception as error:
        return type(error).__name__
    return "done"


class Vault(Service):
    """Served to attackers and to others."""

    def __init__(self):
        self.safe = Safe()
        self.exposed_safe = self.safe
        self.exposed_dial = Dial()
        self.exposed_list = [1, 2]

    exposed_Safe = Safe

    def exposed_numbers(self):
        yield from range(3)

    def exposed_function(self):
        return self.exposed_safe.exposed_knock

    @exposed
    def kind_of(self, x):
        return type(x)

    @exposed
    def module(self):
        return copy

    @exposed
    def add(self, a, b):
        return a + b

    @exposed
    def state(self):
        """Tell whether all is as it was."""
        safe = self.safe
        return type(safe) is Safe and not safe.opened and sorted(vars(safe)) == ["opened", "secret"]

    @exposed
    def natively(self, what, x):
        return tell(CARELESS[what], x)

    @exposed
    @threaded
    def in_thread(self, what, x):
        return tell(CARELESS[what], x)

    @exposed
    async def awaiting(self, x):
        return await x()


class Lane(Vault):
    """The same, as RPyC runs it."""

    threaded_service = True

"""
A connection's context variables: one client's calls never see what another's have set.

RPyC has a thread for each connection. Here clients share threads, so a service's code is run
in a `contextvars.Context` that belongs to the connection:

* hooks, plain methods and generators in that context itself: each finds what the ones before
  have set;
* code that may overlap others in a copy that is taken when it begins. Values that a coroutine
  sets are found by code that begins after its end; those that an asynchronous generator, a
  `threaded` call or a job sets go with it.

A `Context` cannot be entered twice at once. Code that comes while it is entered further up
the stack runs in a copy too, and what that sets is found by the next call.

The `decimal` module keeps a mutable object in its variable, which copies would share: here
each gets a copy of it.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Generator
from contextvars import Context, ContextVar, copy_context
from typing import Any, TypeVar

from txremote.peer.context import current

T = TypeVar("T")

_Values = dict[ContextVar[Any], Any]

_MISSING = object()


def own_context(context: Context | None = None) -> Context:
    """Return a copy of a context, or of the current one, with its own decimal context."""
    copied = copy_context() if context is None else context.copy()
    decimal = sys.modules.get("decimal")
    if decimal is not None and len(copied):
        for variable in copied:
            if variable.name == "decimal_context" and type(copied[variable]) is decimal.Context:
                copied.run(variable.set, copied[variable].copy())
    return copied


def program_context() -> Context:
    """Return a copy of the current context; an empty one where that is a client's."""
    return own_context() if current.get(None) is None else Context()


def outside_calls(program: Context | None, function: Callable[..., None], *args: Any) -> None:
    """
    Call a function in no client's context, but the program's, or an empty one.

    asyncio reads a socket, and calls what is due, in the context in which that was arranged: such
    as the call of some client, for which a connection to another server was opened.
    """
    if current.get(None) is None:
        function(*args)
    else:
        (Context() if program is None else program.copy()).run(function, *args)


def _set_all(values: _Values | None) -> None:
    for variable, value in (values or {}).items():
        variable.set(value)


class Within(Generator[Any, Any, Any]):
    """
    An awaitable whose every step runs in one context, whoever drives it: Twisted takes
    a copy for each coroutine, and an asynchronous generator is to have one for life.
    """

    __slots__ = ("_context", "_steps")

    def __init__(self, steps: Generator[Any, Any, Any], context: Context) -> None:
        self._steps = steps
        self._context = context

    def __await__(self) -> Within:
        return self

    def send(self, value: Any) -> Any:
        """Go on with what was waited for."""
        return self._context.run(self._steps.send, value)

    def throw(self, error: Any, *rest: Any) -> Any:
        """Go on with an exception."""
        return self._context.run(self._steps.throw, error, *rest)


class Variables:
    """The variables of one connection. Never used by two threads at once."""

    __slots__ = ("_begin", "_context", "_entered", "_late")

    def __init__(self, begin: Context | None = None) -> None:
        self._begin = begin
        self._context: Context | None = None  # most connections of many are idle
        self._entered = False
        self._late: _Values | None = None  # what was set in copies

    def run(self, function: Callable[..., T], *args: Any) -> T:
        """Call a function with these variables."""
        context = self._context
        if context is None:
            begin = self._begin
            context = self._context = Context() if begin is None else own_context(begin)
        if self._entered:
            beside = context.copy()
            beside.run(_set_all, self._late)
            before = beside.copy()
            try:
                return beside.run(function, *args)
            finally:
                self.keep(before, beside)
        if self._late is not None:
            late, self._late = self._late, None
            context.run(_set_all, late)
        self._entered = True
        try:
            return context.run(function, *args)
        finally:
            self._entered = False

    def drop_empty(self) -> None:
        """Keep no context in which nothing is set: most connections of many are idle."""
        if not self._entered and not self._context and not self._begin:
            self._context = None

    def keep(self, before: Context, after: Context) -> None:
        """Have what was set between two copies of a context found by what runs next."""
        if len(after) == 1 and current in after:
            return
        # by identity: to compare a value may be a request to its owner
        late = {
            variable: value
            for variable, value in after.items()
            if before.get(variable, _MISSING) is not value and variable is not current
        }
        if late:  # always a new dict: a thread may be reading the old
            self._late = {**(self._late or {}), **late}

    async def kept(self, awaitable: Awaitable[T]) -> T:
        """Await what runs in a copy, and have what it sets found by what runs after it."""
        before = copy_context()
        try:
            return await awaitable
        finally:
            self.keep(before, copy_context())

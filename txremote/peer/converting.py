"""
Calls of methods whose annotations declare values (`txremote.gate.converted.ConvertedMethod`).

The arguments are converted before the method runs, and a wrong one fails the call with an error
that names its path. A reference where a value is declared is fetched first: it
makes the call one that takes its time, as a coroutine does, or has a thread wait that may block.

Long arguments are converted a slice at a time (`txremote.peer.turns`).

The result is checked and leaves as a value, whenever it is there (`Checked`): of a coroutine, a
Deferred, a `threaded` method. A wrong one is the service's own mistake, so the log has it and the
peer gets a sentence. The items of a generator are checked as they are read. A stock RPyC gets
results as RPyC sends them. It is the same for what is read of an attribute that is declared.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from twisted.internet.defer import Deferred

from txremote.errors import WrongValue
from txremote.gate.converted import ConvertedAttribute, ConvertedMethod
from txremote.gate.threaded import ThreadedCall, ThreadedMethod
from txremote.peer.awaiting import awaited, is_awaited
from txremote.peer.callbacks import note_callbacks
from txremote.peer.checked import Checked
from txremote.peer.checked_items import items_checked
from txremote.peer.fetching import copies_of, fetched_here
from txremote.peer.logging import logger_for
from txremote.peer.turns import in_turns, may_take_turns
from txremote.refs.netref import is_base_netref
from txremote.refs.outcome import Outcome
from txremote.refs.reference import RemoteReference
from txremote.refs.value_calls import Args, Kwargs, as_sent, unmarked
from txremote.streams.source import Stream, streamed
from txremote.values.nodes import ValueType
from txremote.values.plan import Place, fetched as with_fetched
from txremote.wire.consts import FEATURE_STREAMS, FEATURE_VALUES
from txremote.wire.slices import in_one_go
from txremote.wire.values import ReceivedValue

_log = logger_for("call")

_Declared = ConvertedMethod | ConvertedAttribute


def call_converted(connection: Any, method: ConvertedMethod, args: Args, kwargs: Kwargs) -> object:
    """Call a method for a peer; return the result as it travels, or what `awaited` takes."""
    if method.contract is not None:
        method.contract.check(args, kwargs)
    function = method.function
    if type(function) is ThreadedMethod:
        # all of it in the thread, where references are netrefs
        inner = ConvertedMethod(function.function, method.plan)
        run = ThreadedMethod(_WithPlan(connection, inner))
        return ThreadedCall(run, args, kwargs)
    plan = method.plan
    if not plan.has_arguments:
        return _call(connection, method, args, kwargs)
    quick = plan.quick(args, kwargs)
    if quick is not None:
        return _call(connection, method, quick, kwargs)
    places = plan.unfetched(args, kwargs, _is_reference)
    if places:
        if not any(is_base_netref(place.value) for place in places):
            return _call_later(connection, method, args, kwargs, places)
        args, kwargs = with_fetched(args, kwargs, zip(places, fetched_here(places), strict=True))
    steps = plan.convert_in_slices(args, kwargs)
    try:
        next(steps)
    except StopIteration as end:
        args, kwargs = end.value
    except WrongValue as problem:
        raise _bare(problem) from None
    else:
        if may_take_turns(connection):
            return _call_later(connection, method, args, kwargs, [])
        args, kwargs = in_one_go(steps)
    return _call(connection, method, args, kwargs)


def _bare(problem: WrongValue) -> WrongValue:
    return problem.with_traceback(None)  # where it was found says nothing


def _is_reference(value: object) -> bool:
    return type(value) is RemoteReference or is_base_netref(value)


def _call(connection: Any, method: ConvertedMethod, args: Args, kwargs: Kwargs) -> object:
    """Call a method with converted arguments; return what `call_converted` does."""
    if method.plan.callbacks:
        note_callbacks(method.plan, args, kwargs)
    result = method.function(*args, **kwargs)
    if is_awaited(type(result)):
        return Checked(result, partial(_finished, connection, method))
    return _finished(connection, method, result)


async def _call_later(
    connection: Any, method: ConvertedMethod, args: Args, kwargs: Kwargs, places: list[Place]
) -> object:
    """
    Call a method when its arguments are fetched, and converted a slice at a time.

    The peer's later calls wait until it has begun. A stock RPyC's do not where something is
    fetched: what it runs for that may call here, and its answer wait for ours.
    """
    in_order = not places or FEATURE_VALUES in connection.features
    ledger = connection.inbound.ledger
    size = 0
    if in_order:
        ledger.prepare()
    try:
        try:
            copies = await copies_of(places) if places else []
            size = ledger.take_in(sum(copy.size for copy in copies))
            args, kwargs = await _prepared(connection, method, args, kwargs, places, copies)
            result = awaited(_call(connection, method, args, kwargs), connection)
        finally:
            # the traceback may live until a garbage collection
            args, kwargs, places, copies = (), {}, [], []
            if in_order:
                ledger.prepared()
        if isinstance(result, Deferred):
            result = await result
    finally:
        ledger.let_go(size)
    if type(result) is Outcome:
        if not result.went_well:
            error: Any = result.value
            raise error if isinstance(error, BaseException) else error.error
        return result.value
    return result


async def _prepared(
    connection: Any,
    method: ConvertedMethod,
    args: Args,
    kwargs: Kwargs,
    places: list[Place],
    copies: list[ReceivedValue],
) -> tuple[Args, Kwargs]:
    try:
        if places:
            found = [(place, copy.value) for place, copy in zip(places, copies, strict=True)]
            args, kwargs = with_fetched(args, kwargs, found)
        steps = method.plan.convert_in_slices(args, kwargs)
        try:
            next(steps)  # mostly the only one: it does not wait for the long work of others
        except StopIteration as end:
            done: tuple[Args, Kwargs] = end.value
            return done
        if may_take_turns(connection):
            return await in_turns(connection.executor.turns, steps)
        return in_one_go(steps)
    except BaseException as problem:
        args, kwargs, places, copies, found, steps = (), {}, [], [], [], None
        raise (_bare(problem) if type(problem) is WrongValue else problem) from None


class _WithPlan:
    """A `threaded` method with its plan, as its thread calls it."""

    def __init__(self, connection: Any, method: ConvertedMethod) -> None:
        self._connection = connection
        self._method = method
        self.__qualname__ = method.qualname

    def __call__(self, /, *args: object, **kwargs: object) -> object:
        result = call_converted(self._connection, self._method, args, kwargs)
        if type(result) is Stream:
            result.blocks = not result.is_async  # as its method does
        return result.result if type(result) is Checked else result


def attribute_read(connection: Any, attribute: ConvertedAttribute) -> object:
    """Return what was read of an attribute as it travels, or what `awaited` takes."""
    found = attribute.found
    if is_awaited(type(found)):
        return Checked(found, partial(_finished, connection, attribute))
    return _finished(connection, attribute, found)


def _finished(connection: Any, method: _Declared, result: object) -> object:
    """Check a result, and return it as it leaves."""
    plan = method.plan
    as_values = FEATURE_VALUES in connection.features
    if plan.item is not None and as_values:
        result = items_checked(result, partial(_item_finished, method, plan.item))
    if plan.streams and FEATURE_STREAMS in connection.features:
        result = streamed(result)
    if plan.result is None:
        return result
    try:
        plan.check_result(unmarked(result))
    except WrongValue as problem:
        raise _wrong(method, problem) from problem
    return as_sent(result) if as_values else unmarked(result)


def _item_finished(method: _Declared, kind: ValueType, item: object) -> object:
    try:
        kind.check(unmarked(item), "an item")
    except WrongValue as problem:
        raise _wrong(method, problem) from problem
    return as_sent(item)


def _wrong(method: _Declared, problem: WrongValue) -> RuntimeError:
    """Log that a method gave what it does not declare, and return the error for its caller."""
    name = method.qualname
    _log.failure("{method} gave what its annotation does not say", method=name)
    return RuntimeError(f"{name} gave a wrong result, which is a mistake of the service: {problem}")

"""
Jobs and their outcomes as bytes, with a list of the objects that go by reference.

A job is pickled with the C pickler, which takes importable functions and classes by name. Where
that comes to a `Live` or a remote reference it begins again, with a function to ask, which writes
an index and puts the object into a list. The list travels in the same request as references of the
wire. Lambdas, closures and all that is defined in ``__main__`` are pickled by cloudpickle, by
value, with the same function.

An exception that cannot be pickled travels as the wire's exceptions do. The text of its traceback
ends up as its ``__cause__`` (as in `concurrent.futures.process`) and in the log.

Bytes are unpickled only if they come from the program's own other half, over a pipe that nobody
else has: never from a peer of the network.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Sequence
from functools import cache, partial
from types import ModuleType
from typing import Any, NoReturn

from twisted.python.failure import Failure

from txremote.errors import NotPicklable
from txremote.peer.exports import Granted
from txremote.refs.netref import BaseNetref, NetrefMethod
from txremote.refs.outcome import can_be_failure
from txremote.refs.reference import RemotePath, RemoteReference
from txremote.wire.exceptions import (
    RemoteTraceback,
    dump_exception,
    format_traceback,
    load_exception,
)
from txremote.wire.naming import is_a, sentence
from txremote.work.arrowslices import MARK as ARROW, slice_form
from txremote.work.buffers import Buffers
from txremote.work.declared import RECORD_MODULE, declared
from txremote.work.failures import JobFailure, job_failure
from txremote.work.live import Live
from txremote.work.plainjobs import MAIN, PROTOCOL, JobCall, Terminated, plain_dumps
from txremote.work.reducers import ReducingPickler, reduced
from txremote.work.unpicklable import ADVICE, Place, describe, parts_of

_HINT = " (pip install 'txremote[pool]' for lambdas, closures and what is in __main__)"

_BY_VALUE = object()

Pickled = tuple[bytes, list[object]]
_Take = Callable[[pickle.PickleBuffer], bool] | None
_IsLive = Callable[[object], object]


def with_remote_traceback(error: BaseException, text: str, name: str = "") -> JobFailure:
    """Return the Failure of a job's exception, with the traceback that its worker formatted."""
    try:
        error.__cause__ = RemoteTraceback(text, name)
    except BaseException:  # an exception class may forbid attributes
        pass
    return job_failure(error, text)


class _ReferringPickler(pickle.Pickler):
    """
    The plain pickler, which puts objects into a list that go by reference. It also asks for the
    forms of other objects that the plain one would not find.
    """

    def __init__(self, file: io.BytesIO, is_live: _IsLive, take: _Take) -> None:
        super().__init__(file, PROTOCOL, buffer_callback=take)
        self.references: list[object] = []
        self._is_live = is_live
        self._has_buffers = take is not None

    def reducer_override(self, found: object) -> Any:
        """Return an object's form, or NotImplemented where it has none of ours."""
        target: Any = self._is_live(found)
        if target is _BY_VALUE:
            form = reduced(found)
            return slice_form(found) if form is NotImplemented and self._has_buffers else form
        names: tuple[str, ...] = ()
        if type(target) is RemotePath and type(target._base) is RemoteReference:
            target, names = target._base, target._names  # it is gone along there
        self.references.append(_on_purpose(target))
        return _reference, (len(self.references) - 1, *names)


def _on_purpose(target: Any) -> Any:
    """Return a reference that may be handed out: classes and modules are not, by accident."""
    return Granted(target) if issubclass(type(target), (type, ModuleType)) else target


def _reference(index: int, *names: str) -> NoReturn:
    """Stand in a pickle for the `_referred` of an `_Unpickler`, which has the list."""
    raise pickle.UnpicklingError("a reference without the list that it is in")


def _referred(references: Sequence[object], index: int, *names: str) -> object:
    target = references[index]
    for name in names:
        target = getattr(target, name)
    return target


class _Unpickler(pickle.Unpickler):
    def __init__(
        self,
        payload: bytes | memoryview,
        references: Sequence[object],
        buffers: Sequence[memoryview],
    ) -> None:
        super().__init__(io.BytesIO(payload), buffers=buffers)
        # its memo keeps this: a method of its own would be a cycle
        self._referred = partial(_referred, references)

    def find_class(self, module: str, name: str) -> Any:
        """Return what a name stands for."""
        found = super().find_class(module, name)
        return self._referred if found is _reference else found


@cache
def _cloudpickler() -> Any:
    """Return cloudpickle's pickler, or the plain one if it is not installed."""
    try:
        from cloudpickle import Pickler  # type: ignore[import-untyped]
    except ImportError:
        Pickler = pickle.Pickler
    return Pickler


def _has_cloudpickle() -> bool:
    return _cloudpickler() is not pickle.Pickler


@cache
def _thorough_pickler() -> Any:
    """Return the pickler for objects that the plain one cannot do."""
    Pickler: Any = _cloudpickler()

    class Thorough(_ReferringPickler, Pickler):  # type: ignore[misc]
        latest: object = None  # that it came to

        def persistent_id(self, found: object) -> None:
            self.latest = found

        def reducer_override(self, found: object) -> Any:
            form = super().reducer_override(found)
            if form is NotImplemented and Pickler is not pickle.Pickler:
                return Pickler.reducer_override(self, found)
            return form

    return Thorough


def _plain(value: object, _is_live: _IsLive, take: _Take) -> Pickled:
    return plain_dumps(value, take), []


def _referring(value: object, is_live: _IsLive, take: _Take) -> Pickled:
    file = io.BytesIO()
    pickler = _ReferringPickler(file, is_live, take)
    pickler.dump(value)
    return file.getvalue(), pickler.references


def _thorough(value: object, is_live: _IsLive, take: _Take, culprit: list[object]) -> Pickled:
    """If it fails, the object that it failed with is added to the list."""
    file = io.BytesIO()
    pickler = _thorough_pickler()(file, is_live, take)
    try:
        pickler.dump(value)
    except Exception:
        culprit.append(pickler.latest)
        raise
    return file.getvalue(), pickler.references


class _ErrorPickler(ReducingPickler):
    # tblib, which comes with dask, has its own ideas of how exceptions are pickled
    dispatch_table: dict[type, Any] = {}


def _plain_error(error: object, _is_live: _IsLive, take: _Take) -> Pickled:
    file = io.BytesIO()
    _ErrorPickler(file, PROTOCOL, buffer_callback=take).dump(error)
    return file.getvalue(), []


def _dump(
    value: object,
    is_live: _IsLive,
    buffers: Buffers | None = None,
    culprit: list[object] | None = None,
    ways: Sequence[Callable[[object, _IsLive, _Take], Pickled]] = (_plain, _referring),
) -> Pickled:
    """Pickle a value in the first way that can do it; `is_live` returns what goes by reference."""
    take = None if buffers is None else buffers.take
    for way in ways:
        try:
            pickled = way(value, is_live, take)
            if MAIN in pickled[0]:
                break
            if way is not _plain or not buffers or ARROW not in pickled[0]:
                return pickled
        except Exception:  # any object's own code; another way may know better
            pass
        if buffers:
            buffers.clear()
    if buffers:
        buffers.clear()
    return _thorough(value, is_live, take, [] if culprit is None else culprit)


def _load(
    payload: bytes | memoryview, references: Sequence[object], buffers: Sequence[memoryview] = ()
) -> Any:
    if not references:
        return pickle.loads(payload, buffers=buffers)
    return _Unpickler(payload, references, buffers).load()


def _live_here(found: Any) -> object:
    kind = type(found)
    if kind is Live:
        return found.target
    if kind is RemoteReference or kind is RemotePath:
        return found
    return _live_there(found)


def _live_there(found: Any) -> object:
    # by type: isinstance() would ask a netref over the network
    kind = type(found)
    if kind is Live:
        return found.target
    return found if issubclass(kind, BaseNetref) or kind is NetrefMethod else _BY_VALUE


def dump_job(
    function: Callable[..., object],
    args: tuple[object, ...],
    kwargs: dict[str, object],
    name: str,
    advice: str = ADVICE,
    buffers: Buffers | None = None,
) -> Pickled:
    """
    Return a call as bytes, and its references. NotPicklable says which part cannot be sent.

    Args:
        buffers: Gets the large buffers, which are then not among the bytes.
    """
    culprit: list[object] = []
    try:
        pickled = _dump((function, args, kwargs), _live_here, buffers, culprit=culprit)
        if RECORD_MODULE in pickled[0]:
            function = declared(function, args, kwargs)
            if buffers:
                buffers.clear()
            pickled = _dump((function, args, kwargs), _live_here, buffers, culprit=culprit)
        return pickled
    except Exception as problem:  # any object's own code
        what, advice = _what_is_wrong(list(parts_of(function, args, kwargs)), culprit, advice)
        hint = "" if _has_cloudpickle() else _HINT
        raise NotPicklable(
            f"{what} of the job {name} cannot be sent to a process: "
            f"{sentence(problem)}{hint}{advice}"
        ) from problem


def _what_is_wrong(parts: list[Place], culprit: list[object], advice: str) -> tuple[str, str]:
    """Return what cannot be pickled, and what may be done about it, as `describe` does."""
    if culprit:
        what, how = describe(parts, culprit[0], advice)
        if what:
            return what, how
    for place in parts:  # the culprit is something that an object gives for itself
        try:
            _dump(place.found, _live_here)
        except Exception:  # any object's own code
            return describe([place], place.found, advice)
    return "the whole", ""  # what each of them can be, all together cannot


def load_job(
    payload: bytes | memoryview,
    references: Sequence[object],
    name: str,
    buffers: Sequence[memoryview] = (),
) -> JobCall:
    """Return the call that bytes stand for. NotPicklable: it cannot be imported or made here."""
    try:
        call: JobCall = _load(payload, references, buffers)
        return call
    except Exception as problem:  # imports and constructors: any code
        raise cannot_be_made(payload, name, problem) from problem


def cannot_be_made(payload: bytes | memoryview, name: str, problem: Exception) -> NotPicklable:
    """Return the error of a job that cannot be imported or made in its process."""
    hint = "" if _has_cloudpickle() or MAIN not in bytes(payload) else _HINT
    return NotPicklable(f"the job {name} cannot be made in its process: {sentence(problem)}{hint}")


def dump_result(value: object, name: str, buffers: Buffers | None = None) -> Pickled:
    """
    Return a result as bytes, and its references. NotPicklable: it cannot be pickled.

    Args:
        buffers: Gets the large buffers, which are then not among the bytes.
    """
    culprit: list[object] = []
    try:
        return _dump(value, _live_there, buffers, culprit=culprit)
    except Exception as problem:  # any object's own code
        result = Place(value, f"the result of the job {name}", value, "", ADVICE.format("it"))
        places = [describe([result], each)[0] for each in [*culprit, value]]
        what = next(filter(None, places))
        raise NotPicklable(
            f"{what} cannot be sent back: {sentence(problem)}{result.advice}"
        ) from problem


def load_result(
    payload: bytes | memoryview,
    references: Sequence[object],
    name: str,
    buffers: Sequence[memoryview] = (),
) -> Any:
    """Return the result that bytes stand for. NotPicklable: it cannot be imported or made here."""
    try:
        result = _load(payload, references, buffers)
        isinstance(result, Failure)  # as the Deferred will do that gives it
        return result
    except BaseException as problem:  # imports and constructors: any code
        raise NotPicklable(
            f"the result of the job {name} cannot be made here: {sentence(problem)}"
        ) from None


def dump_error(error: BaseException) -> tuple[bytes | None, Any, str]:
    """Return an exception: pickled if that works, in the wire's form, and its traceback as text."""
    text = format_traceback(error)
    payload: bytes | None
    try:
        payload, references = _dump(error, lambda _found: _BY_VALUE, ways=[_plain_error])
        if references or type(_load(payload, ())) is not type(error):
            payload = None
    except Terminated:
        raise
    except BaseException:  # many an exception cannot be made of its args alone
        payload = None
    return payload, dump_exception(error, False), text


def load_error(payload: bytes | None, travelled: Any, text: str, *, name: str = "") -> Failure:
    """Return the Failure of an exception of a job that `dump_error` has made travel."""
    error: BaseException | None = None
    if payload is not None:
        try:
            error = pickle.loads(payload)
        except BaseException:  # its module may not be importable here
            error = None
    if error is None or not is_a(error, Exception) or not can_be_failure(error):
        error = load_exception(travelled, instantiate_custom=True, import_custom=True)
        error._remote_tb = ""  # type: ignore[attr-defined]  # it has `text`
    return with_remote_traceback(error, text, name)

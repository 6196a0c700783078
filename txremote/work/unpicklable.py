"""
The part of a job that cannot be pickled, in words: `describe`.

The pickler notes each object that it comes to, so the last one is the culprit. The way to it is
looked for in what can be read without calling what pickling does not call: containers of Python's
own types, the variables, defaults and globals of functions, the ``self`` of methods, the parts of
a `functools.partial`, and the ``__dict__`` of other objects. Where no way is found, or not among
the first `MOST` objects, the job's function or argument is named as a whole.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from types import FunctionType, MethodType, ModuleType
from typing import Any, Final, NamedTuple

from txremote.refs.netref import BaseNetref
from txremote.refs.reference import RemotePath, RemoteReference
from txremote.wire.naming import class_name
from txremote.work.live import Live

#: How many objects are looked at.
MOST: Final = 10_000

ADVICE: Final = "; live({}) sends a reference"
OF_A_FUNCTION: Final = (
    "; a function that can be imported goes by name, without what it makes use of"
)
_OF_SELF = (
    "; a job can be a plain function that gets what it needs as arguments, live(self) among them"
)

# Characters of a path.
_LONGEST: Final = 200

# Types whose objects go by reference, or by their name.
_WHOLE = (Live, RemoteReference, RemotePath, ModuleType)
_SEQUENCES = (list, tuple, set, frozenset, deque)
_MAPPINGS = (dict, OrderedDict)


class Place(NamedTuple):
    """
    Where an object was found.

    Attributes:
        found: The object.
        what: The nearest part of the job that has a name, such as "argument 1".
        owner: The object of that name.
        path: How it goes on from there, such as ``.lock``; "" for that part itself.
        advice: Ways to mend it.
    """

    found: object
    what: str
    owner: object
    path: str
    advice: str


def describe(parts: Iterable[Place], culprit: object, advice: str = ADVICE) -> tuple[str, str]:
    """
    Return what an object is called, and what may be done about it; two empty texts if it was
    not found.

    Args:
        parts: Where to look for it: those of a job, or its result.
        culprit: The object, which could not be pickled.
        advice: Ways to mend an argument: `ADVICE`, or "" where nothing can be.
    """
    place = _search(parts, culprit)
    if place is None:
        return "", ""
    what = f"{place.what}, a {class_name(type(place.owner))}"
    if place.path:
        what += f" (at {place.path}: a {class_name(type(place.found))})"
    return f"{what},", place.advice if advice or place.advice is OF_A_FUNCTION else ""


def parts_of(
    function: Callable[..., object], args: Sequence[object], kwargs: Mapping[str, object]
) -> Iterator[Place]:
    """Go through a job's function and its arguments."""
    yield Place(function, "the function", function, "", OF_A_FUNCTION)
    for number, arg in enumerate(args, 1):
        yield Place(arg, f"argument {number}", arg, "", ADVICE.format("it"))
    for key, value in kwargs.items():
        yield Place(value, f"argument {key!r}", value, "", ADVICE.format("it"))


def _search(parts: Iterable[Place], culprit: object) -> Place | None:
    """Look for an object, near ones first."""
    queue = deque(parts)
    seen: set[int] = set()
    while queue and len(seen) < MOST:
        place = queue.popleft()
        if place.found is culprit:
            return place
        if id(place.found) not in seen and len(place.path) < _LONGEST:
            seen.add(id(place.found))
            queue.extend(islice(_inside(place), MOST))
    return None


def _inside(place: Place) -> Iterator[Place]:
    """Go through what an object consists of, as the pickler does."""
    found: Any = place.found
    kind = type(found)
    if kind is FunctionType:
        yield from _of_function(found)
    elif kind is MethodType:
        owner, name = found.__self__, found.__func__.__name__
        what = f"self of {class_name(type(owner)).rpartition('.')[2]}.{name}"
        yield Place(owner, what, owner, "", _OF_SELF)
        yield Place(found.__func__, place.what, place.owner, place.path, place.advice)
    elif kind is partial:
        yield from _of_partial(found, place)
    elif kind in _MAPPINGS:
        for key, value in found.items():
            name = repr(key) if type(key) in (str, int, bytes) else "..."
            yield place._replace(found=value, path=f"{place.path}[{name}]")
            yield place._replace(found=key, path=f"{place.path}, a key")
    elif kind in _SEQUENCES:
        ordered = kind not in (set, frozenset)
        for number, item in enumerate(found):
            step = f"[{number}]" if ordered else ", an item"
            yield place._replace(found=item, path=place.path + step)
    elif kind not in _WHOLE and not issubclass(kind, BaseNetref):
        for name, value in _attributes(found).items():
            yield place._replace(found=value, path=f"{place.path}.{name}")


def _of_function(function: FunctionType) -> Iterator[Place]:
    code, name = function.__code__, function.__qualname__.rpartition(".<locals>.")[2]
    sort = "lambda" if name == "<lambda>" else f"closure {name}"
    for variable, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        try:
            value = cell.cell_contents
        except ValueError:  # it is empty still
            continue
        what = f"the variable {variable!r} of the {sort}"
        yield Place(value, what, value, "", ADVICE.format(variable))
    positional = code.co_varnames[: code.co_argcount]
    defaults = function.__defaults__ or ()
    named = {**dict(zip(positional[-len(defaults) :], defaults, strict=False))} if defaults else {}
    named.update(function.__kwdefaults__ or {})
    for variable, value in named.items():
        what = f"the default of {variable!r} of {name}"
        yield Place(value, what, value, "", ADVICE.format(variable))
    for variable in code.co_names:
        if variable in function.__globals__:
            value = function.__globals__[variable]
            what = f"the global {variable!r} of {name}"
            yield Place(value, what, value, "", ADVICE.format(variable))


def _of_partial(found: partial[Any], place: Place) -> Iterator[Place]:
    inner = getattr(found.func, "__name__", "")
    of = f"of the partial of {inner}" if type(inner) is str and inner else "of the partial"
    yield Place(found.func, f"the function {of}", found.func, "", place.advice)
    for number, arg in enumerate(found.args, 1):
        yield Place(arg, f"argument {number} {of}", arg, "", ADVICE.format("it"))
    for key, value in found.keywords.items():
        yield Place(value, f"argument {key!r} {of}", value, "", ADVICE.format("it"))


def _attributes(found: object) -> dict[str, object]:
    """Return an object's ``__dict__``, as pickling reads it."""
    try:
        attributes: object = object.__getattribute__(found, "__dict__")
    except Exception:  # it has none, or a descriptor of that name
        return {}
    return attributes if type(attributes) is dict else {}

"""
Copies of remote values: `BlockingView.obtain`.

Builtin containers are copied item by item, which runs none of the peer's code here. All else
travels as a pickle only, and loading a pickle can run any code.
"""

from __future__ import annotations

import builtins
import collections
from collections.abc import Callable, Iterable
from typing import Any

from txremote.refs.iteration import buffiter
from txremote.refs.netref import is_base_netref

_SEQUENCES: dict[str, Callable[[list[object]], object]] = {
    "builtins.list": list,
    "builtins.set": set,
    "builtins.frozenset": frozenset,
    "builtins.tuple": tuple,
    "collections.deque": collections.deque,
    "builtins.dict_keys": list,
    "builtins.dict_values": list,
    "builtins.dict_items": list,
}
_MAPPINGS: dict[str, Callable[[list[Any]], object]] = {
    "builtins.dict": dict,
    "builtins.frozendict": getattr(builtins, "frozendict", dict),  # CPython 3.15
    "builtins.mappingproxy": dict,
    "collections.OrderedDict": collections.OrderedDict,
    "collections.defaultdict": dict,
}


def copied(netref: object, refused: ValueError | None = None) -> Any:
    """Copy a remote builtin container item by item; raise ``refused`` for another netref."""
    return _copy(netref, (), refused)


def _copy(value: object, parents: tuple[object, ...], refused: ValueError | None) -> object:
    if type(value) is tuple:
        return tuple([_copy(item, parents, refused) for item in value])
    if not is_base_netref(value):
        return value
    if any(value is parent for parent in parents):
        raise TypeError("a container that holds itself cannot be copied by value")
    parents = (*parents, value)
    name = value.____id_pack__[0]
    if value.____id_pack__[2] != 0:
        if name in _SEQUENCES:
            return _SEQUENCES[name]([_copy(item, parents, refused) for item in buffiter(value)])
        if name in _MAPPINGS:
            return _MAPPINGS[name]([_copy(item, parents, refused) for item in _items(value)])
        if name == "builtins.bytearray":
            return bytearray(buffiter(value))
        if name == "builtins.range":
            return _range(value)
    if refused is not None:
        raise refused
    raise TypeError(
        f"a {name} cannot be copied by value without unpickling what the peer sends, which "
        "can run any code here: obtain(proxy, unpickle=True) if you trust it"
    )


def _items(mapping: Any) -> Iterable[Any]:
    try:
        return buffiter(mapping.items())
    except AttributeError:  # a stock RPyC that opens no public names
        return [(key, mapping[key]) for key in buffiter(mapping)]


def _range(numbers: Any) -> range:
    try:
        return range(numbers.start, numbers.stop, numbers.step)
    except AttributeError:  # a stock RPyC that opens no public names
        count = len(numbers)
        first = numbers[0] if count else 0
        step = numbers[1] - first if count > 1 else 1
        return range(first, first + count * step, step)

"""
The messages between a program and the process of a limited source: a length and brine, each way.

A message is a tuple: its name, and what belongs to it. Values are copies of a closed set of types
(`pack`); brine has tuples and what is no container, so each container goes as a tuple that begins
with a number for its kind. Nothing here can name an object, a class or a module, so a process that
sends what it likes reaches nothing. The program reads with limits, and unpacks with the same
check that it packs with.

The process imports this beside `txremote.wire.brine`, and nothing else of the package.
"""

from __future__ import annotations

from typing import Final

from txremote.errors import NotSendable, RemoteProtocolError
from txremote.wire.brine import _MOST_COLLISIONS, dump, load
from txremote.wire.limits import Limits

#: Messages of the process: it takes a source; has printed; calls a function; has a result; its
#: source is refused; has failed; has met a limit.
READY: Final = "ready"
PRINTED: Final = "printed"
CALL: Final = "call"
DONE: Final = "done"
REFUSED: Final = "refused"
FAILED: Final = "failed"
LIMIT: Final = "limit"
#: Messages of the program: run a source; what a called function has given, or raised.
RUN: Final = "run"
ANSWER: Final = "answer"
ERROR: Final = "error"

#: Values in one message, at most, and how deep they may nest: they are decoded in the reactor.
MOST_ITEMS: Final = 20_000
DEEPEST: Final = 40

#: Errors of a called function that are raised in a source as they are; others as RuntimeError.
RAISED_AS_THEY_ARE: Final = frozenset(
    {
        *("ArithmeticError", "AttributeError", "IndexError", "KeyError", "LookupError"),
        *("NotImplementedError", "OverflowError", "PermissionError", "RuntimeError"),
        *("TimeoutError", "TypeError", "ValueError", "ZeroDivisionError"),
    }
)

_HEAD: Final = 4  # bytes of a length
_TUPLE, _LIST, _DICT, _SET, _FROZENSET = range(5)
_ATOMS: Final = frozenset({type(None), bool, int, float, complex, str, bytes})
_LABELS: Final[dict[type, int]] = {
    tuple: _TUPLE,
    list: _LIST,
    dict: _DICT,
    set: _SET,
    frozenset: _FROZENSET,
}
_KINDS: Final = "None, bool, int, float, complex, str, bytes, tuple, list, dict, set, frozenset"


class _Packing:
    """The items that one value may still have."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = MOST_ITEMS

    def pack(self, value: object, path: str, depth: int) -> object:
        kind = type(value)
        if kind in _ATOMS:
            return value
        label = _LABELS.get(kind)
        if label is None:
            raise NotSendable(
                f"{path} is a {kind.__name__}: a limited source takes and gives copies of {_KINDS}"
            )
        if depth <= 0:
            raise NotSendable(f"{path} is nested deeper than {DEEPEST}, or holds itself")
        items: list[object]
        if isinstance(value, dict):
            items = [part for pair in value.items() for part in pair]
        else:
            items = list(value)  # type: ignore[call-overload]
        self.left -= len(items) + 1
        if self.left < 0:
            raise NotSendable(f"{path} brings more than {MOST_ITEMS} items: give less, or a text")
        return (label, *[self.pack(item, f"{path}[...]", depth - 1) for item in items])


def pack(value: object, path: str) -> object:
    """
    Return a value as brine carries it.

    Args:
        value: Of the types that a limited source takes and gives, exactly.
        path: Names it in the errors.

    Raises:
        NotSendable: it is of another type, too deep, or has too many items.
    """
    return _Packing().pack(value, path, DEEPEST)


def unpack(packed: object) -> object:
    """Return the value that was packed. RemoteProtocolError: `pack` has not made this."""
    if type(packed) is not tuple:
        if type(packed) in _ATOMS:
            return packed
        raise RemoteProtocolError(f"a {type(packed).__name__} in a message of a limited source")
    label, *packed_items = packed or (None,)
    items = [unpack(item) for item in packed_items]
    try:
        if label in (_DICT, _SET, _FROZENSET):
            _check_hashes(items[:: 2 if label == _DICT else 1])
        if label == _LIST:
            return items
        if label == _TUPLE:
            return tuple(items)
        if label == _DICT:
            return dict(zip(items[::2], items[1::2], strict=True))
        if label == _SET:
            return set(items)
        if label == _FROZENSET:
            return frozenset(items)
    except (TypeError, ValueError):
        pass
    raise RemoteProtocolError("a container in a message of a limited source makes no sense")


def _check_hashes(keys: list[object]) -> None:
    """Refuse (ValueError) keys that all hash alike: it takes quadratic time to tell them apart."""
    if len(keys) - len(set(map(hash, keys))) > _MOST_COLLISIONS:
        raise ValueError


def frame(*message: object) -> bytes:
    """Return the bytes of a message. NotSendable: a number or a text that cannot be written."""
    payload = dump(message)
    return len(payload).to_bytes(_HEAD, "big") + payload


class MessageReader:
    """
    Bytes that arrive, cut into messages.

    Args:
        most: Longest message, in bytes.
    """

    def __init__(self, most: int) -> None:
        self._limits = Limits(max_frame=most, max_items=3 * MOST_ITEMS, max_depth=DEEPEST + 3)
        self._data = bytearray()

    def feed(self, data: bytes) -> None:
        """Take bytes that have arrived."""
        self._data += data

    def next(self) -> tuple[object, ...] | None:
        """
        Return the next message, or None until it is whole.

        Raises:
            RemoteProtocolError: the bytes are no message, or one that is too long (`limit`).
        """
        data = self._data
        if len(data) < _HEAD:
            return None
        size = int.from_bytes(data[:_HEAD], "big")
        if size > self._limits.max_frame:
            raise RemoteProtocolError(f"a message of {size} bytes", "max_frame")
        if len(data) < _HEAD + size:
            return None
        payload = bytes(data[_HEAD : _HEAD + size])
        del data[: _HEAD + size]
        try:
            message = load(payload, self._limits)
        except RecursionError:
            raise RemoteProtocolError("a message that is nested too deep", "max_depth") from None
        if type(message) is not tuple or not message or type(message[0]) is not str:
            raise RemoteProtocolError("a message without its name")
        return message

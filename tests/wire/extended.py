"""Extended values for tests: bytes and back, with references in a list."""

from __future__ import annotations

from typing import Any

from txremote.wire.brine import Budget, check_end
from txremote.wire.keys import REMOTE_REF_HEAD, key_of, key_of_boxed
from txremote.wire.limits import DEFAULT_LIMITS, Limits
from txremote.wire.value_loading import load_extended
from txremote.wire.values import dump_extended


class References:
    """The references of an end: an object's is its place in a list."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.taken = 0
        self.refused: Exception | None = None

    def box_reference(self, value: Any) -> bytes:
        self.sent.append(value)
        return REMOTE_REF_HEAD + key_of(("a.B", 1, len(self.sent)))

    def takes_values(self) -> bool:
        return True

    def most_items(self) -> int:
        return DEFAULT_LIMITS.max_items

    def within(self) -> References:
        return self

    def received(self, value: Any, size: int) -> Any:
        return value

    def unbox_local(self, key: bytes) -> Any:
        raise AssertionError(key)

    def refuse(self, problem: Exception) -> None:
        self.refused = problem

    def unbox_remote(self, key: bytes) -> Any:
        self.taken += 1
        for number, value in enumerate(self.sent, 1):
            if key == key_of_boxed(REMOTE_REF_HEAD + key_of(("a.B", 1, number))):
                return value
        return key


def encoded(value: Any, references: Any = None) -> bytes:
    """Return the encoding of an extended value."""
    out: list[bytes] = []
    dump_extended(out, value, references or References())
    return b"".join(out)


def decoded(data: bytes, references: Any = None, limits: Limits = DEFAULT_LIMITS) -> Any:
    """Return the extended value that some bytes are, to their end."""
    value, end = load_extended(
        *(data, 0, limits.max_depth, Budget(limits, len(data))), references or References()
    )
    check_end(data, end)
    return value


def sent(value: Any, references: Any = None) -> Any:
    """Return what a value arrives as."""
    references = references or References()
    return decoded(encoded(value, references), references)

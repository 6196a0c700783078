"""A limited source with its limits, and the result of one that has ended well."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from twisted.internet.defer import Deferred

from txremote.errors import LimitExceeded
from txremote.work.limited.sandbox import Sandbox

#: Calls within calls that Python allows a source.
DEEPEST_CALLS: Final = 1000


@dataclass(frozen=True)
class SourceLimits:
    """
    The limits of a source.

    Attributes:
        timeout: Seconds from its beginning to its end, calls of functions included.
        memory: Bytes of address space of its process, the interpreter's own included.
        output: Bytes of text that it may print.
        calls: Calls of functions that it was given.
        message: Bytes of the arguments of one call, of one answer, or of the result.
    """

    timeout: float = 5.0
    memory: int = 128 * 1024 * 1024
    output: int = 64 * 1024
    calls: int = 1000
    message: int = 256 * 1024

    def __post_init__(self) -> None:
        if not isinstance(self.timeout, (int, float)) or not 0 < self.timeout <= 86400:
            raise ValueError(f"timeout= takes seconds, above 0 to a day, not {self.timeout!r}")
        for name, least in (("memory", 64 * 2**20), ("output", 0), ("calls", 0), ("message", 64)):
            value = getattr(self, name)
            if type(value) is not int or not least <= value < 2**32:
                raise ValueError(f"{name}= takes an int of {least} to {2**32 - 1}, not {value!r}")

    def exceeded(self, limit: str, printed: str) -> LimitExceeded:
        """Return the error for a limit by its name."""
        value = DEEPEST_CALLS if limit == "recursion" else getattr(self, limit)
        text = {
            "timeout": f"took longer than {value:g} s",
            "memory": f"took more than {value} bytes of memory",
            "output": f"printed more than {value} bytes",
            "calls": f"called functions more than {value} times",
            "message": f"gave a value of more than {value} bytes, or of too many items",
            "recursion": f"nested calls deeper than {value}",
        }[limit]
        return LimitExceeded(
            f"the source {text}, and was ended (limit {limit})", limit, value, printed
        )


@dataclass(frozen=True)
class LimitedSource:
    """
    A source that is to run.

    Attributes:
        text: It.
        values: Its names and their packed values, packed.
        live: The functions that it may call, by name.
        limits: Its limits.
        sandbox: Whether it runs in one.
        result: Fires once, unless it is cancelled.
    """

    text: str
    values: object
    live: Mapping[str, Callable[..., object]]
    limits: SourceLimits
    sandbox: Sandbox
    result: Deferred[LimitedResult]


@dataclass(frozen=True)
class LimitedResult:
    """
    The end of a limited source that has ended well.

    Attributes:
        value: The value that it gave to ``_return``; a list of more than one; the value of a
            source that is an expression; else None.
        printed: The text that it printed.
        calls: How many calls it made of functions that it was given.
    """

    value: object
    printed: str
    calls: int = field(default=0, compare=False)

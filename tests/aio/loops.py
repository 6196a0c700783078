"""What tests with an asyncio loop of their own share."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Callable, Coroutine
from importlib import import_module
from typing import Any, TypeVar

from txremote import Service, exposed

T = TypeVar("T")

#: How to make each kind of loop.
LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "stock": asyncio.new_event_loop,
    "uvloop": lambda: import_module("uvloop").new_event_loop(),  # type: ignore[no-any-return]
}


def run_in(kind: str, main: Callable[[], Coroutine[Any, Any, T]], debug: bool = False) -> T:
    """Run a program of asyncio's; what was not closed or awaited is an error."""
    with warnings.catch_warnings():
        for category in (ResourceWarning, RuntimeWarning):
            warnings.simplefilter("error", category)
        with asyncio.Runner(loop_factory=LOOPS[kind], debug=debug) as runner:
            return runner.run(main())


def here(deferred: Any) -> Any:
    """Return a future of a Deferred's result, in the running loop."""
    return deferred.asFuture(asyncio.get_running_loop())


class Counter(Service):
    """A service with a bit of each."""

    @exposed
    def add(self, first: Any, second: Any) -> Any:
        """Add."""
        return first + second

    @exposed
    async def twice(self, function: Any, value: int) -> int:
        """Call back."""
        result: int = await function(await function(value))
        return result

    @exposed
    def fail(self) -> None:
        """Raise."""
        raise KeyError("no such thing")

"""The type of an answer, and the part of an executor that this room uses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

from twisted.internet.defer import Deferred

from txremote.refs.driver import Driver
from txremote.refs.threadguard import ThreadGuard

#: The answer to a request. A peer may answer with anything, and what it is, only the code
#: that made the request knows.
Answer: TypeAlias = Deferred[Any]


class RequestContext(Protocol):
    """The part of a connection's executor that sends requests and waits for their results."""

    @property
    def driver(self) -> Driver:
        """Waits for results, and times them."""

    @property
    def guard(self) -> ThreadGuard:
        """Says from which thread requests may be sent."""

    def submit(self, function: Callable[[], object]) -> None:
        """Call a function in the connection's context, from any thread."""

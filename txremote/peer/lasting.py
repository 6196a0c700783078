"""`Lasting`: what a request returns that takes as long as it takes, within limits of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from twisted.internet.defer import Deferred

#: A flow waits for its reader, which has not taken all that it was sent, or for a full transport.
NO_CREDIT: Final = "its reader"
NO_ROOM: Final = "the network"


class Flow(Protocol):
    """
    The sending that goes on until the answer, for those who show it.

    Attributes:
        items_sent: How many items or events have been sent.
        bytes_sent: How many bytes those were; None: nobody counts them.
        waits_for: The reason why nothing is sent, or "".
    """

    @property
    def items_sent(self) -> int:
        """As above; and so are the others."""

    @property
    def bytes_sent(self) -> int | None:
        """See the class."""

    @property
    def waits_for(self) -> str:
        """See the class."""


class Unlimited(Deferred[object]):
    """
    A Deferred that ``call_timeout`` does not end. Its maker gives it to one request.

    Attributes:
        flow: The sending that goes on until it fires, if that can be shown.
    """

    flow: Flow | None = None


class Lasting:
    """
    The result of a handler where it may have run in a lane, and its work is the loop's thread's.

    Attributes:
        begin: Begins it, in the connection's context; returns the Deferred of the answer.
    """

    __slots__ = ("begin",)

    def __init__(self, begin: Callable[[], Unlimited]) -> None:
        self.begin = begin

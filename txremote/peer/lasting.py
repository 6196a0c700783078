"""`Lasting`: what a request returns that takes as long as it takes, within limits of its own."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred


class Unlimited(Deferred[object]):
    """A Deferred that ``call_timeout`` does not end. Its maker gives it to one request."""


class Lasting:
    """
    What a handler returns where it may have run in a lane, and its work is the loop's thread's.

    Attributes:
        begin: Begins it, in the connection's context; returns the Deferred of the answer.
    """

    __slots__ = ("begin",)

    def __init__(self, begin: Callable[[], Unlimited]) -> None:
        self.begin = begin

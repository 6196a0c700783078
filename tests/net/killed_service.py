"""
A service for processes that are killed. Not a test file.

It writes down in a file each job that it does, so that it can be known after its
death which ones it did; and it tells events, each with its process and a number.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall

import txremote
from txremote import exposed

#: Seconds between two events.
EVENTS_EVERY = 0.005


class Office(txremote.Service):
    """Does jobs, and tells events."""

    def __init__(self) -> None:
        self._told = 0
        self._telling: list[LoopingCall] = []

    def on_disconnect(self, conn: Any) -> None:
        for telling in self._telling:
            telling.stop()

    @exposed
    def job(self, number: int) -> int:
        """Do a job, and note it."""
        with Path(os.environ["OFFICE_BOOK"]).open("a") as book:
            book.write(f"{number}\n")
        return number

    @exposed
    def linger(self, number: int) -> Deferred[int]:
        """Do a job, and never say so."""
        self.job(number)
        return Deferred()

    @exposed
    def login(self, user: str, password: str) -> Office:
        """Let ann in."""
        if (user, password) != ("ann", "s3cret"):
            raise UnauthorizedLogin("wrong password")
        return self

    @exposed
    def subscribe(self, listener: Any) -> None:
        """Tell an event every few milliseconds."""

        def tell() -> None:
            self._told += 1
            listener(os.getpid(), self._told).addErrback(lambda _failure: None)

        telling = LoopingCall(tell)
        self._telling.append(telling)
        telling.start(EVENTS_EVERY)

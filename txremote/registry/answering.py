"""
The answers of a registry of RPyC's kind, in whatever way its messages come.

Nothing that is received raises: what makes no sense, or comes too often from one host, has no
answer, as with RPyC. An answer is no longer than RPyC's clients read; where a name has more
servers than that, those that were renewed last are in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final

from txremote.errors import RegistryRefused, RemoteProtocolError
from txremote.registry.entries import Entries
from txremote.registry.messages import (
    MAX_LIST,
    MAX_MESSAGE,
    List,
    Query,
    Register,
    Request,
    Unregister,
    request_of,
)
from txremote.wire import brine

#: How many answers a host is given in a second, and how many hosts are: an answer by UDP is
#: longer than its question, whose sender may be forged.
MOST_ANSWERS: Final = 200
MOST_HOSTS: Final = 10_000


class Answering:
    """
    Answers messages from some entries.

    Args:
        entries: The servers that are registered.
        seconds: The time, as the entries go by it.
        allow_listing: Whether all names are told to those who ask for them.
        complain: Called with a sentence about a message that has no answer.
    """

    def __init__(
        self,
        entries: Entries,
        seconds: Callable[[], float],
        allow_listing: bool = False,
        complain: Callable[[str], object] = lambda _sentence: None,
    ) -> None:
        self.entries = entries
        self.allow_listing = allow_listing
        self._seconds = seconds
        self._complain = complain
        self._second = -1
        self._asked: Counter[str] = Counter()

    def answer(self, data: bytes, host: str, longest_list: int = MAX_LIST) -> bytes | None:
        """
        Do what a message says.

        Args:
            data: The message.
            host: The address that it came from.
            longest_list: How many bytes of a list of names the way back can take.

        Returns:
            The answer, or None if there is none.
        """
        if not self._may_ask(host):
            return None
        try:
            request = request_of(data)
            return self._answer(request, host, longest_list)
        except (RemoteProtocolError, RegistryRefused) as problem:
            self._complain(f"a message of {host} has no answer: {problem}")
            return None

    def _answer(self, request: Request, host: str, longest_list: int) -> bytes:
        match request:
            case Query(name):
                return _fitting(self.entries.find(name), MAX_MESSAGE)
            case Register(names, port):
                self.entries.enter(names, (host, port))
                return brine.dump("OK")
            case Unregister(port):
                self.entries.remove((host, port))
                return brine.dump("OK")
            case List(of_host) if self.allow_listing:
                return _fitting(self.entries.names(of_host), longest_list)
        return brine.dump(None)

    def _may_ask(self, host: str) -> bool:
        second = int(self._seconds())
        if second != self._second:
            self._second = second
            self._asked.clear()
        if host not in self._asked and len(self._asked) >= MOST_HOSTS:
            return False
        self._asked[host] += 1
        if self._asked[host] == MOST_ANSWERS + 1:
            self._complain(f"{host} has asked {MOST_ANSWERS} times within a second, and waits")
        return self._asked[host] <= MOST_ANSWERS


def _fitting(found: tuple[object, ...], most: int) -> bytes:
    """Return the encoding of a tuple, without as many of its first items as do not fit."""
    data = brine.dump(found)
    if len(data) <= most:
        return data
    size, first = 8, len(found)  # of the tuple's own head
    while first and (size := size + len(brine.dump(found[first - 1]))) <= most:
        first -= 1
    return brine.dump(found[first:])

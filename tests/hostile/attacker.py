"""
Whoever attacks: a plain socket that sends what it likes, and reads if it likes.

Not a test file. Attackers come from 127.0.0.2 and up, the good clients from
127.0.0.1.
"""

from __future__ import annotations

import contextlib
import select
import socket
import time
from typing import Any

from tests.peer.pairs import Local, answer_of, request_payload
from txremote.wire.brine import load
from txremote.wire.consts import HANDLE_CALLATTR, HANDLE_GETROOT, MSG_REQUEST
from txremote.wire.framing import FrameReader, frame

#: Seconds that an attacker waits for what has to come.
DEADLINE = 60.0

#: Where attackers come from.
SOURCE = "127.0.0.2"


def request(number: int, handler: int, *args: Any) -> bytes:
    """Return a request, in its frame."""
    return frame(request_payload(number, handler, *args))


class Attacker:
    """
    One hostile connection. Use it in a ``with``.

    Args:
        port: Whose door it is at.
        source: Where it comes from.

    Attributes:
        socket: The socket.
        ended: How the server ended it: ``"closed"``, ``"reset"``, or None.
    """

    def __init__(self, port: int, source: str = SOURCE) -> None:
        self.socket = socket.create_connection(
            ("127.0.0.1", port), DEADLINE, source_address=(source, 0)
        )
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.ended: str | None = None
        self._reader = FrameReader()
        self._numbers = 0
        self._answers: dict[int, Any] = {}
        self._requests: list[tuple[int, Any]] = []

    def __enter__(self) -> Attacker:
        return self

    def __exit__(self, *_error: object) -> None:
        self.socket.close()

    def vanish(self) -> None:
        """Go with a reset and not a word."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        self.socket.close()

    def end_sending(self) -> None:
        """Close the direction to the server, unless that has hung up meanwhile."""
        with contextlib.suppress(OSError):  # ENOTCONN once it was reset
            self.socket.shutdown(socket.SHUT_WR)

    def send(self, data: bytes) -> None:
        """Send bytes; what a server does that has hung up is no error of ours."""
        with contextlib.suppress(ConnectionError):
            self.socket.sendall(data)

    def send_request(self, handler: int, *args: Any) -> int:
        """Send a request, and return its number."""
        self._numbers += 1
        self.send(request(self._numbers, handler, *args))
        return self._numbers

    def read(self) -> bool:
        """
        Read once, within the deadline.

        Returns:
            False if the server has ended it.
        """
        try:
            data = self.socket.recv(1 << 16)
        except TimeoutError:
            raise AssertionError(f"nothing within {DEADLINE:g} s") from None
        except ConnectionError:
            self.ended = "reset"
            return False
        if not data:
            self.ended = self.ended or "closed"
            return False
        if data.startswith(b"\x15\x03"):
            return True  # an alert of TLS, from a port that speaks it
        for payload in self._reader.feed(data):
            assert isinstance(payload, bytes)
            number, args = load(payload[1:])
            if payload[0] == MSG_REQUEST:
                self._requests.append((number, args))
            else:
                self._answers[number] = answer_of(payload[0], number, args)
        return True

    def answer(self, number: int) -> Any:
        """Return the answer to a request, a `RemoteError` where it is one."""
        while number not in self._answers:
            assert self.read(), f"hung up before it answered request {number}"
        return self._answers.pop(number)

    def answers(self, count: int) -> dict[int, Any]:
        """Return so many answers, whatever they are to."""
        while len(self._answers) < count:
            assert self.read(), f"hung up after {len(self._answers)} of {count} answers"
        found, self._answers = self._answers, {}
        return found

    def next_request(self) -> tuple[int, Any]:
        """Return what the server asks next: the number, and handler and arguments."""
        while not self._requests:
            assert self.read(), "hung up before it asked anything"
        return self._requests.pop(0)

    def ask(self, handler: int, *args: Any) -> Any:
        """Send a request and return its answer."""
        return self.answer(self.send_request(handler, *args))

    def root(self) -> Local:
        """Return the root's reference."""
        root = self.ask(HANDLE_GETROOT)
        assert isinstance(root, Local), root
        return root

    def call(self, target: Local, name: str, *args: Any) -> Any:
        """Call a method and return what it answers."""
        return self.ask(HANDLE_CALLATTR, target, name, args, ())

    def hung_up(self) -> str:
        """Read until the server ends it, and return how: "closed" or "reset"."""
        end = time.monotonic() + DEADLINE
        while self.read():
            assert time.monotonic() < end, f"not hung up on within {DEADLINE:g} s"
        assert self.ended is not None
        return self.ended


def all_hung_up(attackers: list[Attacker], within: float = DEADLINE) -> None:
    """Wait until the server has ended all of these, whatever it says before."""
    left = still_open(attackers, within)
    assert not left, f"{len(left)} of {len(attackers)} still open after {within:g} s"


def still_open(attackers: list[Attacker], within: float) -> list[Attacker]:
    """Read for a while from all of these, and return those that the server has not ended."""
    polling = select.poll()
    by_number = {one.socket.fileno(): one for one in attackers}
    for number in by_number:
        polling.register(number, select.POLLIN)
    end = time.monotonic() + within
    while by_number:
        left = end - time.monotonic()
        if left <= 0:
            break
        for number, _events in polling.poll(left * 1000):
            one = by_number[number]
            try:
                more = one.read()
            except Exception:  # what comes back in the midst of garbage
                more = True
            if not more:
                polling.unregister(number)
                del by_number[number]
    return list(by_number.values())

"""
Peers that send what is no message: random bytes, other protocols, broken TLS.
"""

from __future__ import annotations

import random
import struct
from contextlib import ExitStack

import pytest

from tests.hostile.attacker import Attacker, all_hung_up, request
from tests.hostile.conftest import Siege
from txremote.wire.consts import HANDLE_GETROOT, MSG_REQUEST

_ROOT = request(1, HANDLE_GETROOT)

OTHERS = {
    "HTTP": b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
    "SSH": b"SSH-2.0-OpenSSH_9.7\r\n",
    "SMTP": b"EHLO example.org\r\n",
    "PB": b"\x01\x80\x80\x02\x82pb\x04\x82none",
    "Redis": b"*1\r\n$4\r\nPING\r\n" * 1000,
    "newlines": b"\n" * 100_000,
    "zeros": bytes(100_000),
    "ones": b"\xff" * 100_000,
}


@pytest.mark.parametrize("door", ["plain", "login", "threads", "tls"])
def test_who_speaks_another_protocol(siege: Siege, door: str) -> None:
    """From the first byte, or after a message that was a good one."""
    with siege.attack(), ExitStack() as stack:
        for before in (b"", _ROOT):
            for data in OTHERS.values():
                one = stack.enter_context(Attacker(siege.ports[door]))
                one.send(before + data)
                one.end_sending()
                one.hung_up()


def noise(source: random.Random) -> bytes:
    """Return bytes that are random, or nearly a message."""
    size = source.choice([1, 5, 6, 20, 200, 5000])
    data = source.randbytes(size)
    kind = source.randrange(4)
    if kind == 0:
        return data
    if kind == 1:  # in a frame
        return struct.pack("!LB", len(data), source.randrange(2)) + data + b"\n"
    head = bytes([source.choice([MSG_REQUEST, 2, 3, 0x12])]) + b"\x11"
    if kind == 2:  # in a message
        return struct.pack("!LB", len(head + data), 0) + head + data + b"\n"
    tags = bytes(source.choice(b"\x00\x01\x02\x08\x0a\x0f\x10\x11\x14\x16\x51\x54") for _ in data)
    return struct.pack("!LB", len(head + tags), 0) + head + tags + b"\n"


@pytest.mark.parametrize("door", ["plain", "tls"])
def test_random_bytes(siege: Siege, door: str) -> None:
    """Hung up on, waited for, or answered that it makes no sense; the same each time."""
    source = random.Random(20261121)
    with siege.attack(), ExitStack() as stack:
        noisy = []
        for number in range(300):
            one = stack.enter_context(Attacker(siege.ports[door]))
            one.send((_ROOT if number % 2 else b"") + noise(source) * source.randrange(1, 4))
            one.end_sending()
            noisy.append(one)
        all_hung_up(noisy)


def test_tls_records_that_are_none(siege: Siege) -> None:
    """Alerts, data before the handshake, a handshake in pieces, records of all lengths."""
    hello = OTHERS["TLS"]
    records = [
        b"\x15\x03\x03\x00\x02\x02\x28",
        b"\x17\x03\x03\x40\x00" + bytes(0x4000),
        b"\x14\x03\x03\x00\x01\x01" * 1000,
        b"\x18\x03\x02\x00\x03\x01\x40\x00",  # Heartbleed
        *(hello[:cut] for cut in range(0, 60, 7)),
        *(b"\x16\x03\x01" + struct.pack("!H", size) + b"\x01" * size for size in (0, 1, 4, 0xFFFF)),
    ]
    with siege.attack(), ExitStack() as stack:
        broken = []
        for record in records:
            one = stack.enter_context(Attacker(siege.ports["tls"]))
            one.send(record)
            one.end_sending()
            broken.append(one)
        all_hung_up(broken)  # by an alert, if there is anything to say

"""
Real traffic with a few bytes changed: ``python -m benchmarks.fuzz``.

What an RPyC client, a txremote script and a program with a reactor send in a session
with `peers.fort` is recorded by a relay, and put into all four dialects. Then it is sent again and
again, each time changed in some places: bits, tags, lengths, frames. An id means
the same on each connection, since a fort counts them from one on; so what is sent
reaches as far as the real session did.

A round is a connection. It is over when the fort has hung up, and it depends on
nothing but the seed and its number. Meanwhile `peers.guests` are served, and
`peers.visitors_page` send the admin page what no browser sends. It is a failure if
a guest or a friend of the page's sees an error, if the fort does not hang up, if its
log has what no peer should be able to cause, or if its memory grows.

``--seconds 300`` is the run that is for the record; ``tests/hostile`` does a short
one with each run of the tests.
"""

from __future__ import annotations

import argparse
import random
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from benchmarks.harness import ROOT, Child, Stage

#: How many rounds come from one address, for each leaves a port behind that cannot be
#: used for a minute. The guests are at 127.0.0.1.
PER_ADDRESS = 10_000

#: Seconds within which the fort has hung up on a round.
PATIENCE = 30.0

#: Seconds that the recording of a session takes at most.
RECORDING = 90.0

#: How many rounds lie between two looks at the fort.
LOOK_EVERY = 200

#: How many bytes the fort's memory may grow by: what its limits allow one
#: connection, and what the allocator keeps.
MOST_GROWTH = 100 << 20

#: What the fort holds for none but its guests when it is left alone.
NOTHING = (
    *("connections", "exports", "imports", "pending", "unanswered"),
    *("streams", "subscriptions", "sources", "subscribers", "page clients", "pages", "undead"),
)

#: How many strangers are at the admin page.
STRANGERS = 20

#: Small limits, so that they are met.
SWITCHES = {
    "frame_timeout": 5.0,
    "max_calls": 20,
    "max_waiting": 50,
    "max_exports": 500,
    "max_imports": 500,
    "max_streams": 20,
    "max_subscriptions": 20,
    "max_promises": 20,
    "max_frame": 1 << 20,
    "max_inflated": 1 << 20,
    "pause_unsent": 1 << 18,
    "max_unsent": 1 << 22,
}


class Harmed(Exception):
    """Somebody was. The text says how, and between which rounds."""


#: A session: its frames, each with header and newline.
Session = tuple[bytes, ...]

# Bytes that mean something where a tag, a label, a kind or a handler is expected.
_TELLING = bytes([*range(0x20), 0x50, 0x51, 0x52, 0x53, 0x54, 0x58, 0x61, 0x91, 0x92, 0xEF, 0xFF])


# -- recording


@contextmanager
def recording(port: int) -> Iterator[tuple[int, list[bytes]]]:
    """
    Relay one connection.

    Args:
        port: Where to.

    Returns:
        The port that is to be dialled, and what came from there, as it comes.
    """
    sent: list[bytes] = []

    def copy(source: socket.socket, sink: socket.socket, seen: Callable[[bytes], object]) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                seen(data)
                sink.sendall(data)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def relay() -> None:
        client, _address = door.accept()
        with client, socket.create_connection(("127.0.0.1", port)) as server:
            back = threading.Thread(target=copy, args=(server, client, len), daemon=True)
            back.start()
            copy(client, server, sent.append)
            back.join(PATIENCE)

    with closing(socket.create_server(("127.0.0.1", 0))) as door:
        relaying = threading.Thread(target=relay, daemon=True)
        relaying.start()
        yield door.getsockname()[1], sent
        relaying.join(PATIENCE)


def record(port: int) -> list[Session]:
    """
    Return the corpus: what three clients send, in all dialects.

    The clients are processes of their own: they block, and the caller may be one
    that has a reactor.
    """
    sessions = []
    for package in ("rpyc", "txremote.blocking", "txremote"):
        with recording(port) as (relay, sent):
            words = [
                sys.executable,
                "-m",
                "benchmarks.peers.visitors_recorded",
                package,
                str(relay),
            ]
            subprocess.run(words, check=True, timeout=RECORDING, cwd=ROOT)
        session = tuple(frames(b"".join(sent)))
        if len(session) < 50:
            raise AssertionError(f"{package} sent no more than {len(session)} frames")
        sessions += [session, *(spoken(session, *how) for how in DIALECTS)]
    return sessions


#: RPyC 5, and each with the ids of ``bind_threads``.
DIALECTS = ((True, False), (False, True), (True, True))


def frames(stream: bytes) -> Iterator[bytes]:
    """Cut a stream into its frames."""
    while len(stream) >= 5:
        end = struct.unpack_from("!L", stream)[0] + 6
        yield stream[:end]
        stream = stream[end:]


def spoken(session: Session, five: bool, bound: bool) -> Session:
    """Put a session of RPyC 6 into another dialect."""

    def put(frame: bytes) -> bytes:
        payload = zlib.decompress(frame[5:-1]) if frame[4] else frame[5:-1]
        if five:
            payload = b"\x12" + bytes([0x50 + payload[0]]) + payload[2:]
        return framed(struct.pack("!QQ", 77, 0) * bound + payload)

    return tuple(map(put, session))


def framed(payload: bytes, flag: int = 0) -> bytes:
    """Return a payload in a frame."""
    return struct.pack("!LB", len(payload) & 0xFFFFFFFF, flag) + payload + b"\n"


# -- changing

Change = Callable[[random.Random, list[bytes], Sequence[Session]], None]


def _flip(source: random.Random, session: list[bytes], _corpus: Sequence[Session]) -> None:
    """A bit, wherever it is."""
    which = source.randrange(len(session))
    data = bytearray(session[which])
    data[source.randrange(len(data))] ^= 1 << source.randrange(8)
    session[which] = bytes(data)


def _in_payload(change: Callable[[random.Random, bytearray], object]) -> Change:
    """Change what is in a frame, and have the frame fit it again."""

    def changed(source: random.Random, session: list[bytes], _corpus: Sequence[Session]) -> None:
        which = source.randrange(len(session))
        payload = bytearray(session[which][5:-1]) or bytearray(1)
        change(source, payload)
        flag = 0
        if source.random() < 0.1:
            payload, flag = bytearray(zlib.compress(payload)), 1
        session[which] = framed(bytes(payload), flag)

    return changed


def _place(source: random.Random, payload: bytearray) -> int:
    return source.randrange(len(payload))


def _span(source: random.Random, payload: bytearray) -> slice:
    start = _place(source, payload)
    return slice(start, start + source.choice([1, 2, 4, 8, 30]))


def _set_byte(source: random.Random, payload: bytearray) -> None:
    payload[_place(source, payload)] = source.choice(_TELLING)


def _set_bytes(source: random.Random, payload: bytearray) -> None:
    span = _span(source, payload)
    payload[span] = source.randbytes(span.stop - span.start)


def _insert(source: random.Random, payload: bytearray) -> None:
    what = bytes(source.choices(_TELLING, k=source.choice([1, 1, 2, 5, 50])))
    payload[(at := _place(source, payload)) : at] = what


def _remove(source: random.Random, payload: bytearray) -> None:
    del payload[_span(source, payload)]


def _repeat(source: random.Random, payload: bytearray) -> None:
    span = _span(source, payload)
    payload[span] = payload[span] * source.choice([2, 3, 200])


def _cut(source: random.Random, payload: bytearray) -> None:
    del payload[_place(source, payload) :]


def _count(source: random.Random, payload: bytearray) -> None:
    """A number of four bytes, where a long count may stand."""
    at = _place(source, payload)
    payload[at : at + 4] = source.choice(
        [b"\xff" * 4, b"\x7f\xff\xff\xff", bytes(4), b"\0\x0f\0\0"]
    )


def _splice(source: random.Random, session: list[bytes], corpus: Sequence[Session]) -> None:
    """The beginning of one message and the end of another."""
    which = source.randrange(len(session))
    other = source.choice(source.choice(corpus))
    mine, theirs = session[which][5:-1], other[5:-1]
    head = mine[: source.randrange(len(mine) + 1)]
    session[which] = framed(head + theirs[source.randrange(len(theirs) + 1) :])


def _length(source: random.Random, session: list[bytes], _corpus: Sequence[Session]) -> None:
    """A header that does not fit."""
    which = source.randrange(len(session))
    frame = session[which]
    length = max(0, len(frame) - 6 + source.choice([-5, -1, 1, 5, 300, 1 << 20, 1 << 31]))
    session[which] = struct.pack("!L", length & 0xFFFFFFFF) + frame[4:]


def _swap(source: random.Random, session: list[bytes], _corpus: Sequence[Session]) -> None:
    """Two messages in another order."""
    one, other = (source.randrange(len(session)) for _ in range(2))
    session[one], session[other] = session[other], session[one]


def _again(source: random.Random, session: list[bytes], corpus: Sequence[Session]) -> None:
    """A message that comes a second time, or one of another session."""
    frame = source.choice(session if source.random() < 0.7 else source.choice(corpus))
    for _ in range(source.choice([1, 1, 10])):
        session.insert(source.randrange(len(session) + 1), frame)


def _drop(source: random.Random, session: list[bytes], _corpus: Sequence[Session]) -> None:
    """A message that does not come."""
    if len(session) > 1:
        del session[source.randrange(len(session))]


CHANGES: tuple[Change, ...] = (
    _flip,
    _splice,
    _length,
    _swap,
    _again,
    _drop,
    *map(
        _in_payload,
        (_set_byte, _set_byte, _set_bytes, _insert, _remove, _repeat, _cut, _count),
    ),
)


def changed(source: random.Random, corpus: Sequence[Session]) -> bytes:
    """Return what one round sends."""
    session = list(source.choice(corpus))
    session = session[: source.randrange(1, len(session) + 1)]
    for _ in range(source.choice([1, 1, 2, 3, 8])):
        source.choice(CHANGES)(source, session, corpus)
    return b"".join(session)


# -- rounds


@dataclass
class Fuzzer:
    """
    Sends what `changed` gives, connection after connection.

    Attributes:
        port: Whom to.
        seed: What it is made from.
        corpus: What is changed.
        round: How many rounds there were.
    """

    port: int
    seed: int
    corpus: Sequence[Session]
    round: int = 0

    def go(self, rounds: int) -> None:
        """
        Do so many more rounds.

        Raises:
            Harmed: the fort did not hang up.
        """
        for _ in range(rounds):
            self.one(changed(random.Random(f"{self.seed} {self.round}"), self.corpus))
            self.round += 1

    def one(self, data: bytes) -> None:
        """Send something, and read until the other side hangs up."""
        address = ("127.0.0.1", self.port)
        source = f"127.0.3.{1 + self.round // PER_ADDRESS % 250}"
        with socket.create_connection(address, PATIENCE, (source, 0)) as sock:
            try:
                sock.sendall(data)
                sock.shutdown(socket.SHUT_WR)
                while sock.recv(1 << 16):
                    continue
            except TimeoutError:
                raise Harmed(f"round {self.round} of seed {self.seed} was not hung up on") from None
            except OSError:  # reset, or hung up before all was sent
                return


def left_over(server: Child, patience: float = PATIENCE) -> dict[str, int]:
    """
    Wait until the fort holds nothing for others than its guests.

    Returns:
        What it still does when it should not.
    """
    end = time.monotonic() + patience
    while True:
        state = server.ask("state", "127.0.0.1")
        held = {name: state[name] for name in NOTHING}
        if not any(held.values()) or time.monotonic() > end:
            return {name: count for name, count in held.items() if count}
        time.sleep(0.1)


def run(seconds: float, seed: int, out: Any = sys.stderr) -> str:
    """
    Fuzz for so long.

    Returns:
        What there is to tell.

    Raises:
        Harmed: something went wrong; the text tells between which rounds.
    """
    with Stage() as stage, tempfile.TemporaryDirectory() as folder:
        token = f"{folder}/token"
        server = stage.serve(
            "benchmarks.peers.fort",
            {
                "plain": {"config": SWITCHES},
                "login": {"config": SWITCHES, "login": True},
                "fuzzed": {"config": SWITCHES},
                "page": {"token": token},
            },
        )
        print(server.ask("version"), file=out)
        ports = server.first
        guests = stage.connect("benchmarks.peers.guests", ports)
        strangers = stage.connect("benchmarks.peers.visitors_page", ports["page"], token, seed)
        fuzzer = Fuzzer(ports["fuzzed"], seed, record(ports["fuzzed"]))
        fuzzer.go(LOOK_EVERY)
        strangers.ask("begin", STRANGERS)
        start = server.ask("begin_peak")
        end = time.monotonic() + seconds
        slowest, told = 0.0, time.monotonic()
        while time.monotonic() < end:
            before = fuzzer.round
            fuzzer.go(LOOK_EVERY)
            where = f"between rounds {before} and {fuzzer.round} of seed {seed}"
            report, page = guests.ask("report"), strangers.ask("report")
            trouble = server.ask("trouble")
            if report["errors"] or page["errors"] or trouble:
                raise Harmed(f"{where}: {report['errors']} {page['errors']} {trouble}")
            grown = server.ask("peak") - start
            if grown > MOST_GROWTH:
                raise Harmed(f"{where}: the fort grew by {grown >> 20} MiB")
            slowest = max(slowest, report["slowest"])
            if time.monotonic() - told > 10:
                told = time.monotonic()
                words = f"{fuzzer.round} rounds, {end - told:.0f} s left, page: {page['answers']}"
                print(words, file=out, flush=True)
        strangers.ask("leave")
        guests.ask("all_served")
        page = strangers.ask("report")
        if page["errors"] or not page["served"]:
            raise Harmed(f"the admin page: {page}")
        if held := left_over(server):
            raise Harmed(f"this is left at the end: {held}")
        return (
            f"{fuzzer.round} rounds of {len(fuzzer.corpus)} sessions in {seconds:.0f} s "
            f"(seed {seed}), {sum(page['answers'].values())} requests of strangers to the admin "
            f"page: nobody was harmed. The fort's memory grew by "
            f"{(server.ask('peak') - start) / (1 << 20):.1f} MiB at most; the slowest round of "
            f"calls of a guest took {slowest:.2f} s."
        )


def main(argv: list[str] | None = None) -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=300.0, help="for how long (300)")
    parser.add_argument("--seed", type=int, default=None, help="where the changes come from")
    options = parser.parse_args(argv)
    seed = options.seed if options.seed is not None else random.randrange(1 << 30)
    try:
        print(run(options.seconds, seed))
    except Harmed as problem:
        print(f"FAILED: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

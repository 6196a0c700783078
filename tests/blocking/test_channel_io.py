"""
The carrier: full sockets, crossing messages, and the end of a channel.
"""

from __future__ import annotations

import time
from typing import Any

import pytest
from twisted.internet.error import ConnectionAborted, ConnectionDone

import txremote.blocking as rpyc
from tests.blocking.sample_services import MEBI, SOON, Desk, Later
from tests.blocking.script_threads import Script, by_hand, gather, linked, scripted, wait_until
from txremote.blocking.channel_io import PumpTransport
from txremote.wire.consts import HANDLE_PING

# --- what a connection writes to --------------------------------------------------


def test_what_is_written_is_kept_in_its_order() -> None:
    transport = PumpTransport(None)
    transport.write(b"a")
    transport.writeSequence([b"b", b"c"])
    assert list(transport.out) == [b"a", b"b", b"c"]
    assert transport.ending is None


def test_closing_lets_go_out_what_was_written_and_aborting_does_not() -> None:
    """An abortion stays one, whatever is asked after it."""
    transport = PumpTransport(None)
    transport.write(b"last words")
    transport.loseConnection()
    assert list(transport.out) == [b"last words"]
    assert isinstance(transport.ending, ConnectionDone)
    transport.abortConnection()
    transport.loseConnection()
    assert not transport.out
    assert isinstance(transport.ending, ConnectionAborted)


# --- much at once -----------------------------------------------------------------


@scripted
def test_two_great_messages_may_cross() -> None:
    """Each side sends 8 MiB while the other does: nobody waits for ever."""
    much = b"x" * (8 * MEBI)

    class Store(rpyc.Service):
        def exposed_swap(self, function: Any, data: bytes) -> int:
            return len(data) + function(much)  # type: ignore[no-any-return]

    with linked(Store) as conn:
        stored = conn.root.swap

        def swap() -> int:
            return stored(lambda data: stored(len, much) + len(data), much)  # type: ignore

        assert swap() == 32 * MEBI


@scripted
def test_great_messages_may_cross_in_both_directions_at_the_same_moment() -> None:
    much = b"x" * (8 * MEBI)
    with by_hand(Desk, Desk) as (conn, remote):
        here = rpyc.BgServingThread(conn)
        there = rpyc.BgServingThread(remote)
        lengths = gather(
            lambda: len(conn.root.same(much)),
            lambda: len(remote.root.same(much)),
            lambda: len(conn.root.same(much)),
        )
        assert lengths == [8 * MEBI] * 3
        here.stop()
        there.stop()


@scripted
def test_a_call_to_a_peer_that_reads_nothing_ends_with_its_time() -> None:
    """A full socket does not hold a call up past its time-out."""
    with by_hand(Later) as (conn, remote):
        root = conn.root
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            conn._wait_for_answer(
                0.1,
                conn.protocol.outbound.request_with_default_timeout,
                HANDLE_PING,
                (b"x" * (16 * MEBI),),
            )
        assert 0.1 <= time.monotonic() - began < SOON
        assert not conn.closed
        assert root is conn.root
        remote._pump.io.channel.shutdown()  # else closing waits for it, too


# --- the end ----------------------------------------------------------------------


@scripted
def test_what_is_unsent_goes_out_before_closing() -> None:
    """4 MiB that the peer has not read yet are not lost by close()."""
    seen: list[int] = []

    class Log(rpyc.Service):
        def exposed_log(self, data: bytes) -> None:
            seen.append(len(data))

    with by_hand(Log) as (conn, remote):
        rest = conn._pump.io.channel.send
        conn._pump.io.channel.send = lambda data: 0  # the socket is full
        pump = conn._pump
        with pump.lock:
            conn.protocol.outbound.call(conn.protocol._root, ("log",), (b"x" * (4 * MEBI),), {})
        pump.io.flush(0)
        pump.io.channel.send = rest
        serving = Script(remote.serve_all)
        conn.close()
        serving.result()
        assert seen == [4 * MEBI]


@scripted
def test_every_waiting_thread_hears_of_the_end() -> None:
    """The peer vanishes in mid-call: EOFError at once, in each of twenty threads."""
    service = Later()
    with by_hand(service) as (conn, remote):
        root = conn.root
        waiting = [Script(root.later, str(number)) for number in range(20)]
        while len(service.due) < 20:
            remote.poll(0.01)
        remote._pump.io.channel.shutdown()
        for script in waiting:
            with pytest.raises(EOFError):
                script.result(SOON)
        with pytest.raises(EOFError):
            root.later("again")
        assert conn.closed


@scripted
def test_a_descriptor_is_given_back_when_nobody_waits_on_it_any_more() -> None:
    """Else its number could be another file's while a thread still polls it."""
    with by_hand(Later) as (conn, _remote):
        reader = Script(conn.serve_all)
        wait_until(conn._pump.io.reading.locked)
        assert conn.fileno() >= 0
        conn.close()
        reader.result()
        wait_until(lambda: conn._pump.io.channel.fileno() == -1)


@scripted
@pytest.mark.parametrize("role", ["reading", "sending"])
def test_a_descriptor_is_kept_while_a_thread_may_be_about_to_use_it(role: str) -> None:
    with by_hand(Later) as (conn, _remote):
        pump = conn._pump
        held = getattr(pump.io, role)
        assert held.acquire(blocking=False)
        Script(pump.io.lost, ConnectionDone()).result()
        assert conn.closed
        assert conn.fileno() >= 0
        pump.io.release_role(held)
        assert pump.io.channel.fileno() == -1


@scripted
def test_sending_soon_waits_for_nobody_and_sends_it_all() -> None:
    """Another thread sends what a full socket does not take."""
    with by_hand(Desk, Desk) as (conn, remote):
        answers: list[Any] = []
        conn._executor.submit(
            lambda: conn.protocol.root.same(b"x" * 8 * MEBI).addBoth(answers.append)
        )
        wait_until(lambda: conn._pump.io.transport.out)  # nobody reads as yet
        there, here = rpyc.BgServingThread(remote), rpyc.BgServingThread(conn)
        wait_until(lambda: answers)
        assert answers == [b"x" * 8 * MEBI]
        there.stop()
        here.stop()

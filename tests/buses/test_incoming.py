"""What others publish: given to the topic once, in order, and what did not come is said."""

from __future__ import annotations

from tests.buses.local import Heard
from tests.peer.pairs import logged
from txremote.buses.envelope import Event, seal
from txremote.buses.incoming import Incoming
from txremote.buses.outgoing import Outgoing
from txremote.buses.ports import LONGEST, START, Entry, Id, Joined

JOINED = Joined((1, 0), (5, 0), (5, 1), False, "first")


def entry(at: Id, number: int, key: str | None = None, **more: object) -> Entry:
    event = Event("other", number, START, None, key, b"%d" % number)._replace(**more)
    data = seal(event)
    return Entry(0, at, data, len(data))


def reading() -> tuple[Incoming, Heard]:
    heard = Heard()
    own = Outgoing(retain=False)
    own.origin = "own"
    return Incoming("t", "the bus", heard, own), heard


def test_reading_begins_where_the_bus_stands_and_leaves_own_events_out() -> None:
    incoming, heard = reading()
    incoming.join(JOINED)
    assert (incoming.position, incoming.since) == ((5, 0), (5, 1))
    incoming.take(entry((6, 0), 1, origin="own"))
    incoming.take(entry((6, 1), 4))
    assert (heard.payloads, incoming.position) == ([b"4"], (6, 1))


def test_until_a_newer_last_event_is_read_its_key_is_left_out() -> None:
    incoming, heard = reading()
    take = incoming.join(JOINED)
    assert take is not None
    take([entry((3, 0), 1, "old"), entry((7, 0), 4, "a")])
    assert heard.kept == [("old", b"1"), ("a", b"4")]
    for at, number, key in (((6, 0), 2, "a"), ((6, 1), 3, "b"), ((7, 0), 4, "a"), ((8, 0), 5, "a")):
        incoming.take(entry(at, number, key))
    assert heard.payloads == [b"3", b"5"]
    assert heard.missing == 0


def test_after_a_loss_it_goes_on_where_it_was() -> None:
    incoming, heard = reading()
    incoming.join(JOINED)
    assert incoming.join(JOINED._replace(newest=(9, 0))) is None
    assert incoming.position == (5, 0)
    assert heard.gaps == []


def test_what_was_dropped_is_taken_from_the_last_events_and_said() -> None:
    """Those that were read, or are still to be read, do not come from there."""
    incoming, heard = reading()
    incoming.join(JOINED)
    take = incoming.join(JOINED._replace(oldest=(8, 0), newest=(9, 0)))
    assert take is not None
    take([entry((9, 0), 9, "c"), entry((6, 0), 6, "b"), entry((4, 0), 4, "a")])
    assert heard.payloads == [b"6"]
    assert [count for count, _ in heard.gaps] == [None]


def test_a_bus_that_lost_what_it_kept_is_read_from_the_start() -> None:
    """Though its ids be lower now; its last events are of no use, as others come before them."""
    for joined in (JOINED._replace(generation="second"), JOINED._replace(newest=(4, 0))):
        incoming, heard = reading()
        incoming.join(JOINED)
        incoming.take(entry((6, 0), 3))
        assert incoming.join(joined) is None
        assert incoming.position == START
        for at, number, first in (((1, 0), 3, (6, 0)), ((1, 1), 4, None), ((1, 2), 1, None)):
            incoming.take(entry(at, number, first=first))
        incoming.take(entry((1, 3), 1, origin="new"))
        assert heard.payloads == [b"3", b"4", b"1"]
        assert [count for count, _ in heard.gaps] == [None]


def test_what_is_too_long_or_no_event_is_said_and_reading_goes_on() -> None:
    incoming, heard = reading()
    incoming.join(JOINED)
    with logged() as log:
        incoming.take(Entry(0, (6, 0), None, LONGEST + 1))
        incoming.take(Entry(0, (6, 1), b"1.10", 4))
    incoming.take(entry((6, 2), 7, payload=None))
    incoming.take(entry((6, 3), 8))
    assert "LONGEST of a bus" in log.text()
    assert [count for count, _ in heard.gaps] == [1, 1, 1]
    assert heard.payloads == [b"8"]
    incoming.closed = True
    incoming.take(entry((6, 4), 20))
    assert (heard.payloads, len(heard.gaps)) == ([b"8"], 3)

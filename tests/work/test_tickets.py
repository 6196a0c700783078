"""
Tickets: each is had by one side only, whatever the two of them do.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from time import sleep

import pytest
from hypothesis import given, strategies as st

from txremote.work.job_queue import AHEAD
from txremote.work.tickets import MOST_TICKETS, TicketPipe, take_ticket


@pytest.fixture
def pipe() -> Iterator[TicketPipe]:
    tickets = TicketPipe()
    yield tickets
    tickets.close()


def test_the_child_takes_tickets_in_order(pipe: TicketPipe) -> None:
    """Jobs begin in the order in which they were given."""
    pipe.put([1, 2, 3])
    assert [take_ticket(pipe.reading_end) for _ in range(4)] == [1, 2, 3, None]


def test_the_parent_takes_what_is_left(pipe: TicketPipe) -> None:
    """A job that has not begun can be taken back, and does not begin then."""
    pipe.put([1, 2, 3])
    assert take_ticket(pipe.reading_end) == 1
    assert pipe.take_back() == {2, 3}
    assert take_ticket(pipe.reading_end) is None
    assert pipe.take_back() == set()


def test_a_number_may_be_large(pipe: TicketPipe) -> None:
    """A pool may run for years."""
    pipe.put([2**64 - 1])
    assert take_ticket(pipe.reading_end) == 2**64 - 1


def test_a_pool_never_has_more_tickets_out_than_are_taken_at_once() -> None:
    """The tickets of all that a worker holds fit in one atomic write, and one read."""
    assert AHEAD <= MOST_TICKETS


def test_as_many_as_there_may_be_are_taken_back_at_once(pipe: TicketPipe) -> None:
    """No ticket is left behind for the child."""
    pipe.put(range(MOST_TICKETS))
    assert pipe.take_back() == set(range(MOST_TICKETS))


def test_nothing_is_put(pipe: TicketPipe) -> None:
    """No jobs, no tickets."""
    pipe.put([])
    assert take_ticket(pipe.reading_end) is None


def test_a_closed_pipe_has_no_tickets(pipe: TicketPipe) -> None:
    """A child whose parent has closed the pipe finds no ticket and no error."""
    reading = os.dup(pipe.reading_end)
    left = TicketPipe()
    os.dup2(left.reading_end, reading)
    left.close()
    assert take_ticket(reading) is None
    os.close(reading)


@given(st.lists(st.sampled_from(["put", "take", "take back"]), max_size=60))
def test_each_ticket_goes_to_one_side(steps: list[str]) -> None:
    """Whatever the order of things, nothing is lost and nothing is had twice."""
    pipe = TicketPipe()
    try:
        put = 0
        began: list[int] = []
        back: list[int] = []
        for step in [*steps, "take back"]:
            if step == "put":
                if put - len(began) - len(back) + 3 <= MOST_TICKETS:
                    pipe.put(range(put, put + 3))
                    put += 3
            elif step == "take":
                number = take_ticket(pipe.reading_end)
                began += [] if number is None else [number]
            else:
                back += sorted(pipe.take_back())
        assert sorted(began + back) == list(range(put))
        assert began == sorted(began)
    finally:
        pipe.close()


def test_both_sides_at_once(pipe: TicketPipe) -> None:
    """The kernel gives each ticket to one of two that take at the same time."""
    began: list[int] = []
    back: list[int] = []
    done = threading.Event()

    def child() -> None:
        while not done.is_set():
            number = take_ticket(pipe.reading_end)
            if number is None:
                sleep(0)
            else:
                began.append(number)

    thread = threading.Thread(target=child)
    thread.start()
    try:
        for start in range(0, 2_000, 20):
            pipe.put(range(start, start + 20))
            if start % 60 == 0:
                back += pipe.take_back()
            while start % 60 and len(began) + len(back) < start:
                sleep(0)  # no more than fit
        while len(began) + len(back) < 2_000:
            sleep(0)
    finally:
        done.set()
        thread.join()
    assert sorted(began + back) == list(range(2_000))
    assert began == sorted(began)

"""
Where subscribers live.
"""

from __future__ import annotations

import asyncio
import threading

import pytest

from txremote import Service
from txremote.testing import connected_pair
from txremote.topics import places


def test_connections_of_one_loop_have_one_place_and_others_their_own() -> None:
    loop = object()

    class Executor:
        def __init__(self) -> None:
            self.loop = loop

        def submit(self, function: object) -> None: ...

    first, second = Executor(), Executor()
    assert places.place_of(first).key is places.place_of(second).key is loop  # type: ignore[arg-type]
    pair = connected_pair(server_root=Service)
    here = [places.place_of(end.executor).key for end in (pair.client, pair.server)]
    assert here == [pair.client.executor, pair.server.executor]


def test_a_task_has_its_loop_which_other_threads_enter_later() -> None:
    async def main() -> list[bool]:
        place = places.loop_here()
        assert place is not None
        here = threading.get_ident()
        ran: list[bool] = []

        def note() -> None:
            ran.append(threading.get_ident() == here)

        place.enter(note)
        assert ran == [True]
        await asyncio.to_thread(place.enter, note)
        await asyncio.sleep(0)
        closed.append(place)
        return ran

    closed: list[places.Place] = []
    assert asyncio.run(main()) == [True, True]
    thread = threading.Thread(target=closed[0].enter, args=(lambda: 1 / 0,))
    thread.start()  # of a loop that is closed: nobody is there any more
    thread.join()


def test_without_a_loop_it_is_wherever_one_publishes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "loop_here", lambda: None)
    ran: list[int] = []
    places.place_here().enter(lambda: ran.append(threading.get_ident()))
    assert ran == [threading.get_ident()]

"""The interfaces and records that clients of a game know: without Evennia."""

from __future__ import annotations

from typing import Any

import pytest
from zope.interface import implementer

from txremote import Service, exposed
from txremote.contrib.evennia.interfaces import IRoom, ObjectRecord, RoomRecord
from txremote.testing import connected_pair

LAMP = ObjectRecord(3, "a lamp", "object")
CELLAR = RoomRecord(2, "Cellar", "room", "It is dark.", [], [], [LAMP])


@implementer(IRoom)
class Room:
    """A room, with more than a client may have."""

    _copies_values = True
    db = "secret"

    def room(self) -> RoomRecord:
        """`IRoom`."""
        return CELLAR


class Game(Service, values=True):
    """Gives a room."""

    @exposed
    def place(self) -> Room:
        """Give it."""
        return Room()


def test_a_room_is_one_record_and_nothing_else_of_it_is_reached() -> None:
    """All that stands in it comes with it."""
    pair: Any = connected_pair(server_root=Game)
    place = pair.result(pair.client.root.place())
    record = pair.result(place.room())
    assert (record.name, record.text, record.things[0].name) == ("Cellar", "It is dark.", "a lamp")
    for name in ("db", "key", "delete"):
        with pytest.raises(AttributeError):
            pair.result(place.callRemote(name))

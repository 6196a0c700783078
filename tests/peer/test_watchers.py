"""Functions that are told of connections."""

from __future__ import annotations

from typing import Any

from txremote import Service
from txremote.peer.watchers import watchers
from txremote.testing import connected_pair


def test_each_connection_is_told_of_once_before_its_service_hears_of_it() -> None:
    told: list[Any] = []

    class Greeted(Service):
        def on_connect(self, conn: Any) -> None:
            assert conn in told

    watchers.append(told.append)
    try:
        pair = connected_pair(server_root=Greeted)
    finally:
        watchers.remove(told.append)
    assert told == [pair.server, pair.client]

"""
The words of a client's status. A client's own statuses are in test_client.
"""

import pytest

from txremote.eventloop.client_status import ClientStatus


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (ClientStatus("stopped", "not started yet"), "stopped: not started yet"),
        (ClientStatus("connected", "reached it", tries=1), "connected: reached it, after 1 try"),
        (
            ClientStatus("waiting", "no connection", OSError(), tries=2, next_try=2.25),
            "waiting: no connection, after 2 tries, next try in 2.2 s",
        ),
    ],
)
def test_a_status_is_a_sentence(status: ClientStatus, words: str) -> None:
    assert str(status) == words

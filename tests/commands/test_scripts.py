"""
Commands without a reactor. That they fail and log in as those with one do is tested in
``test_reaching.py``, and that their calls end alike in ``test_call.py``.
"""

from __future__ import annotations

import pytest

from txremote.commands.scripts import scripts_know
from txremote.servername import server_name


@pytest.mark.parametrize(
    ("name", "known"),
    [
        *[("h:1", True), ("/run/s", True), ("tls:h:1:ca=f.pem", True), ("registry:shop", True)],
        *[("tcp:h:1:bindAddress=127.0.0.1", False), ("tls:h:1:endpoint=tcp\\:h\\:1", False)],
        ("onion:h:1", False),
    ],
)
def test_a_name_that_only_twisted_can_follow_is_left_to_it(name: str, known: bool) -> None:
    """Its plugins may know it, and it binds sockets to addresses."""
    assert scripts_know(server_name(name)) is known

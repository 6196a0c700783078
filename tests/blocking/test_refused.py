"""
Names of RPyC's that are not supported.
"""

from __future__ import annotations

import pytest

from txremote.blocking.refused import Refused, refused

Tunnel = refused("Tunnel", "connect to its local port")


class Mine(Tunnel):  # type: ignore[misc, valid-type]  # a class that is made
    """Derived by a program that does not use it."""


@pytest.mark.parametrize("kind", [Tunnel, Mine])
def test_it_refuses_with_a_sentence_when_it_is_used(kind: Refused) -> None:
    """Called as a function, or made an instance of, or of a class derived from it."""
    with pytest.raises(
        NotImplementedError,
        match=r"^Tunnel of RPyC is not supported: connect to its local port$",
    ):
        kind("host", port=1)


def test_nothing_is_one() -> None:
    """So a program may ask."""
    assert not isinstance(object(), Tunnel)

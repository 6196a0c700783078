"""
What is exposed by an interface, and which classes are handed out, as blocking clients
of both libraries see it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import rpyc

import txremote.blocking as blocking
from tests.blocking.script_threads import scripted
from tests.interop.peer_processes import Hosted


@pytest.fixture(scope="module", params=["Vault", "Lane"])
def server(request: Any) -> Iterator[Hosted]:
    it = Hosted(f"tests.interop.attacked_service.{request.param}")
    try:
        yield it
        it.stop_cleanly()
    finally:
        it.kill()


LIBRARIES = pytest.mark.parametrize("library", [rpyc, blocking], ids=["rpyc", "txremote"])


@LIBRARIES
@scripted
def test_an_object_has_the_names_and_calls_of_its_interface(server: Hosted, library: Any) -> None:
    """Wrong calls and other names are refused with a sentence that names it."""
    with library.connect("127.0.0.1", server.port) as conn:
        dial = conn.root.dial
        assert dial.turn(3) == dial.turn(by=3) == 3
        assert dial.turn.__doc__ == "Turn it."
        assert dir(dial) == ["turn"]
        for call in (lambda: dial.turn(), lambda: dial.turn(1, 2), lambda: dial.turn(to=1)):
            with pytest.raises(TypeError, match=r"IDial\.turn\(by\): "):
                call()
        for name in ("label", "exposed_label", "secret", "open", "knock"):
            with pytest.raises(AttributeError, match="Dial is exposed by IDial"):
                getattr(dial, name)
        assert dial == dial
        assert hash(dial) == hash(dial)
        assert "Dial object #" in repr(dial)


@LIBRARIES
@scripted
def test_a_class_is_read_by_an_exposed_name_and_no_other_is(server: Hosted, library: Any) -> None:
    """Made and used as ever; one that nobody declared is refused, and the cure is told."""
    with library.connect("127.0.0.1", server.port) as conn:
        kind = conn.root.Safe
        safe = kind()
        assert safe.knock() == "who is there?"
        assert isinstance(safe, kind)
        with pytest.raises(Exception, match="mark it with @exposed"):
            conn.root.kind_of(conn.root.dial)
        with pytest.raises(Exception, match="in classic mode only"):
            conn.root.module()

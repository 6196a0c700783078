"""
What a mark opens under which prefix, against stock RPyC: every mark, on every name,
asked for by every name, under every prefix.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import rpyc
from rpyc.core.consts import HANDLE_GETATTR
from rpyc.utils.factory import connect_thread

import txremote
from txremote import ConnectionConfig
from txremote.gate.access import AccessPolicy

PREFIXES = ("exposed_", "admin_", "x_")
MARKS = (None, "plain", *PREFIXES)
NAMED = ("look", *(f"{prefix}look" for prefix in PREFIXES))
# but for a prefix twice: what RPyC's decorator has renamed keeps its mark
ASKED = tuple({*NAMED, *(a + b + "look" for a in PREFIXES for b in PREFIXES if a != b)})


def service(library: Any, mark: str | None, name: str, kind: str) -> Any:
    """Return an RPyC service with one attribute, marked by one of the libraries."""
    value: Any = type("Look", (), {}) if kind == "class" else lambda self: "seen"
    if mark is not None:
        value = library.exposed(value) if mark == "plain" else library.exposed(mark)(value)
    return type("Watch", (rpyc.Service,), {name: value})


def opened(read: Any) -> set[str]:
    """Return under which of the names something is read."""
    found = set()
    for name in ASKED:
        try:
            read(name)
        except AttributeError:
            continue
        found.add(name)
    return found


@pytest.fixture(scope="module", params=PREFIXES)
def stock(request: Any) -> Iterator[tuple[str, Any]]:
    """A stock connection whose server hands out, under a prefix, an object for each case."""
    prefix = request.param
    shelf = {
        (mark, name, kind): rpyc.service(service(rpyc, mark, name, kind))()
        for mark in MARKS
        for name in NAMED
        for kind in ("method", "class")
    }

    class Shelf(rpyc.Service):
        def take(self, *case: Any) -> Any:
            return shelf[case]

    setattr(Shelf, f"{prefix}take", Shelf.take)
    conn = connect_thread(remote_service=Shelf, remote_config={"exposed_prefix": prefix})
    yield prefix, conn
    conn.close()


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize("mark", MARKS)
def test_a_mark_opens_what_it_opens_with_rpyc(
    stock: tuple[str, Any], mark: str | None, name: str
) -> None:
    """Whichever library left it, and whether RPyC's class decorator stands above or not."""
    prefix, conn = stock
    policy = AccessPolicy(ConnectionConfig(exposed_prefix=prefix))
    for kind in ("method", "class"):
        reference = conn.root.take(mark, name, kind)
        with_rpyc = opened(lambda it: conn.sync_request(HANDLE_GETATTR, reference, it))  # noqa: B023
        ours = [
            service(txremote, mark, name, kind),
            rpyc.service(service(rpyc, mark, name, kind)),
        ]
        for cls in ours:
            assert opened(lambda it: policy.get(cls(), it)) == with_rpyc, (kind, cls)  # noqa: B023

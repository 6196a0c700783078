"""
RPyC where a method has copies: ``obtain``, which pickles, of each item in the client's list.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rpyc.utils.classic import obtain

from benchmarks.peers import with_rpyc_values
from benchmarks.peers.entries import worth

connect = with_rpyc_values.connect


class Bench(with_rpyc_values.Bench):
    """The service."""

    def exposed_receive(self, given: Any) -> float:
        """For "records": a request for each item, and one for each chunk of the list."""
        return worth([obtain(entry) for entry in given])


def serve(ready: Callable[[int], None]) -> None:
    """Serve."""
    with_rpyc_values.serve_class(Bench, ready)

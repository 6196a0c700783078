"""
What a call costs when there is much of something: ``--growth``, and ``--growth-far`` for very
much of it, which takes minutes and some GiB of memory.

A series has one quantity grow, from 10 to 10,000, and looks at what a call over
one connection costs beside it: the processor time of both sides, calls pipelined.
That shall stay the same. The last series has a message grow; there it is the
cost of a MiB that shall stay the same.

As in the table all sizes of a series are up at once and measured in turn.
"""

from __future__ import annotations

import resource
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.harness import Child, ContestantFailed, Effort, Measured, Stage
from benchmarks.peers import PEERS

_MIB = 1 << 20
_CALLS = 2000

#: Prepares a size: the stage, the server, the client, the size.
Prepare = Callable[[Stage, Child, Child, int], Any]


def _connect(stage: Stage, server: Child, _client: Child, size: int) -> None:
    stage.connect("benchmarks.peers.idle_clients", server.first).ask("open", size, True)


def _ask(name: str) -> Prepare:
    def prepare(_stage: Stage, _server: Child, client: Child, size: int) -> None:
        client.ask(name, size)

    return prepare


def _cpu(server: Child, client: Child, name: str, argument: int) -> float:
    """Return the seconds of processor time that both sides take for something."""
    before = client.ask("cpu") + server.ask("cpu")
    client.ask(name, argument)
    return client.ask("cpu") + server.ask("cpu") - before


def _call(server: Child, client: Child, _size: int, count: int) -> float:
    return _cpu(server, client, "pipelined", count) / count * 1e6


def _echo(server: Child, client: Child, size: int, _count: int) -> float:
    return _cpu(server, client, "bulk", size * _MIB) * 1e3 / size


@dataclass(frozen=True)
class Series:
    """
    One line of the table.

    Attributes:
        name: What grows.
        unit: What a figure counts.
        prepare: Makes that many.
        measure: Gives a figure: server, client, size, how many calls.
        sizes: How many.
        quick_sizes: How many, for a look.
        far_sizes: How many for ``--growth-far``, as far as this machine has descriptors.
    """

    name: str
    unit: str
    prepare: Prepare
    measure: Callable[[Child, Child, int, int], float]
    sizes: tuple[int, ...] = (10, 1000, 10_000)
    quick_sizes: tuple[int, ...] = (10, 100)
    far_sizes: tuple[int, ...] = ()


_FAR = (10, 100_000, 1_000_000)


def most_connections() -> int:
    """Return how many one process may have here, 100,000 at most."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 100_000 if hard == resource.RLIM_INFINITY else min(100_000, hard - 500)


_FAR_CONNECTIONS = (10, 10_000, most_connections())

SERIES = (
    Series("connections", "us a call", _connect, _call, far_sizes=_FAR_CONNECTIONS),
    Series("objects the peer holds", "us a call", _ask("export"), _call, far_sizes=_FAR),
    Series("references held", "us a call", _ask("hold"), _call, far_sizes=_FAR),
    Series("pending calls", "us a call", _ask("wait"), _call),
    Series(
        "MiB in a message",
        "ms a MiB",
        lambda _stage, _server, client, size: client.ask("bulk", size * _MIB),
        _echo,
        (1, 8, 32),
        (1, 2),
    ),
)


def run_series(series: Series, effort: Effort, far: bool = False) -> dict[int, Measured]:
    """
    Measure a series, or what it has for ``--growth-far``.

    Returns:
        The figures for each size.
    """
    sizes = series.quick_sizes if effort.quick else series.far_sizes if far else series.sizes
    module = PEERS["txremote"].module
    measured = {size: Measured() for size in sizes}
    calls = 100 if effort.quick else _CALLS
    try:
        with effort.stage() as stage:
            pairs = {}
            for size in sizes:
                server = stage.serve(module)
                client = stage.connect(module, server.first)
                pairs[size] = server, client
                client.ask("pipelined", calls)
                series.prepare(stage, server, client, size)
                series.measure(server, client, size, calls)
            for _ in range(effort.rounds):
                for size, (server, client) in pairs.items():
                    value = series.measure(server, client, size, calls)
                    measured[size].values.append(value)
    except ContestantFailed as error:
        return {size: Measured(error=str(error)) for size in sizes}
    return measured

"""
The rows of the `Monitor`: plain data for the page, the metrics and ``txremote top``.

Times are in seconds, sizes in bytes; ``since``, ``at``, ``submitted`` and the like are unix times.
``msgspec.json.encode(row)`` gives the JSON of ``/api``. Texts may come from a peer. They have
passed `plain`: they are short, printable and can be encoded, and they are still no markup.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from msgspec import Struct

from txremote.wire.naming import one_line

#: Most characters of a text.
LONGEST: Final = 200

#: How a server, or all of a process, is.
ServingState = Literal["starting", "serving", "draining", "stopped"]

#: Where a call runs.
Where = Literal["reactor", "thread", "pool", "deferred"]

#: How a call has ended.
Ended = Literal["value", "error", "cancelled"]


def plain(text: str, longest: int = LONGEST) -> str:
    """Return a text that may be hostile as short, printable text that UTF-8 can encode."""
    text = text[: longest + 1]
    if not text.isprintable():  # a lone surrogate, a newline, a control of terminals
        text = one_line(text)
    return text if len(text) <= longest else text[: longest - 3] + "..."


class Overview(Struct, frozen=True):
    """
    The process as a whole.

    ``started`` is when the monitor was made. Of calls, ``calls_per_second``, ``p50`` and ``p99``
    are those of the last seconds; the two are None where no call has ended. ``cpu`` is the
    processor time in seconds. A figure that the system does not tell is 0.

    With ``workers`` the figures are sums: of those that run, and of what was counted in those that
    have ended. ``p50``, ``p99`` and ``loop_lag`` are the worst of all; ``pid`` is the supervisor's.
    ``streams_sent`` counts the streams that clients read now, ``streams_read`` those of clients.
    """

    version: str
    build: str
    pid: int
    python: str
    started: float
    uptime: float
    state: ServingState
    connections: int
    calls_total: int
    calls_failed: int
    calls_running: int
    calls_per_second: float
    p50: float | None
    p99: float | None
    loop_lag: float
    rss: int
    open_files: int
    max_files: int
    threads: int
    can_write: bool
    cpu: float = 0.0
    workers: int = 0
    streams_sent: int = 0
    streams_read: int = 0


class ListenerRow(Struct, frozen=True):
    """A server, and where it listens; ``refused_total`` counts the clients it has turned away."""

    server: str
    address: str
    tls: bool
    login: bool
    connections: int
    refused_total: int


class ConnectionRow(Struct, frozen=True):
    """
    A client. ``waits_for`` ends the sentence "it waits for", and is "" where it does not.

    ``bytes_in`` and ``bytes_out`` are counted by the kernel, TLS included; None where it does not.
    ``worker`` is the number of the worker that has it, 0 where there are none.
    """

    number: int
    server: str
    user: str | None
    peer: str
    dialect: str
    since: float
    requests: int
    bytes_in: int | None
    bytes_out: int | None
    unsent: int
    exports: int
    imports: int
    running: int
    waiting: int
    waits_for: str
    state: str
    worker: int = 0


class CallRow(Struct, frozen=True):
    """
    A call under way; ``waiting`` tells that it has not begun. Its arguments are not told.

    ``waits_for`` ends the sentence "it waits for", and is "" where it does not. Of a stream that
    the client reads ``items`` and ``bytes_out`` tell how many items have been sent, and their
    size; of a topic that it reads ``items`` counts events, whose size is not known. Else both are
    None.
    """

    connection: int
    user: str | None
    method: str
    since: float
    age: float
    where: Where
    waiting: bool
    worker: int = 0
    waits_for: str = ""
    items: int | None = None
    bytes_out: int | None = None


class SlowCall(Struct, frozen=True):
    """
    A call that took long; ``line`` is where it held the event loop, or "", and ``trace`` the id
    of its trace, where that is sampled.
    """

    method: str
    user: str | None
    peer: str
    at: float
    seconds: float
    ended: Ended
    line: str
    trace: str = ""
    worker: int = 0


class MethodRow(Struct, frozen=True):
    """The calls of one method, all that have ended; the times are None where none has."""

    method: str
    calls: int
    failed: int
    p50: float | None
    p99: float | None
    slowest: float | None


class ObjectRow(Struct, frozen=True):
    """Exported objects of one class; ``holders`` is how many connections hold some."""

    class_name: str
    count: int
    growth_per_minute: float
    holders: int


class TopicRow(Struct, frozen=True):
    """
    A topic, in one process; those of one name are one.

    ``published`` counts the events of this process, and not those that came by its bus;
    ``delivered`` all that its subscribers have taken, ``dropped`` those that they were too slow
    for, or that could not be sent to them; ``missed`` those that its bus has lost. For ``lagging``
    subscribers events wait, ``buffered`` in all. ``bus`` is "" without one, "joined", or why not.
    """

    name: str
    subscribers: int
    published: int
    delivered: int
    dropped: int
    lagging: int
    buffered: int
    missed: int
    bus: str
    worker: int = 0


class PoolRow(Struct, frozen=True):
    """A pool; ``restarted`` counts workers that were started anew."""

    name: str
    kind: str
    workers: int
    busy: int
    queued: int
    done: int
    failed: int
    killed: int
    restarted: int
    state: str


class TaskRow(Struct, frozen=True):
    """A task of a console; ``rate`` is in steps a second, ``eta`` the seconds that are left."""

    console: str
    number: int
    command: str
    status: str
    owner: str
    submitted: float
    started: float | None
    ended: float | None
    done_count: float | None
    total: float | None
    rate: float | None
    eta: float | None
    progress_text: str
    lines: int


class TaskOutput(Struct, frozen=True):
    """
    Lines of a task's output from number ``first`` on; to follow it, ask again from ``next`` on.

    ``ended`` tells that no more will come.
    """

    first: int
    lines: list[str]
    next: int
    ended: bool


class CertificateRow(Struct, frozen=True):
    """A certificate of a server."""

    server: str
    subject: str
    issuer: str
    not_before: float
    not_after: float
    days_left: float
    state: Literal["ok", "expires soon", "expired", "not yet valid"]
    file: str


class LogRow(Struct, frozen=True):
    """A warning or an error of the log."""

    at: float
    level: str
    namespace: str
    text: str


class Series(Struct, frozen=True):
    """
    Figures of the last hour, one each ``step`` seconds, oldest first, with their times in ``at``.

    A column is None where there was nothing to measure, such as the time of no call.
    """

    step: float
    at: list[float]
    columns: dict[str, list[float | None]]


class Health(Struct, frozen=True):
    """Whether the process works, whether it should be sent clients, and why not, in sentences."""

    healthy: bool
    ready: bool
    reasons: tuple[str, ...]


#: The kinds of rows, by the name of the method of `Monitor` that gives a list of them.
ROWS: Final[Mapping[str, type[Struct]]] = {
    "calls": CallRow,
    "certificates": CertificateRow,
    "connections": ConnectionRow,
    "listeners": ListenerRow,
    "log": LogRow,
    "methods": MethodRow,
    "objects": ObjectRow,
    "pools": PoolRow,
    "slowest": SlowCall,
    "tasks": TaskRow,
    "topics": TopicRow,
}

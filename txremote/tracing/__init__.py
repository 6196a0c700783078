"""
Tracing with OpenTelemetry (the extra ``otel``): spans of calls, on both sides, and of jobs.

::

    import txremote.tracing

    txremote.tracing.enable()  # by the global tracer provider, or by one that is given

``switch``    `enable` and `disable`
``outgoing``  the requests of this side, with spans; ``incoming``  those of the peer
``spans``     how spans begin and end, and their attributes; ``naming``  what calls are called
``roots``     whether a call is sampled that begins a trace
``w3c``       a context as text, as it travels
``jobs``      the jobs of pools; ``carried``  their context, in another process
``exporting`` the spans of ``twistd txremote --tracing`` on their way to a collector

Nothing below imports this room: a connection that is made tells `txremote.peer.watchers`, and a
pool has a place for a watcher of its jobs. Nothing of OpenTelemetry is imported before it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from txremote.importing import lazy_names

if TYPE_CHECKING:
    from txremote.tracing.switch import disable, enable

__all__ = ["disable", "enable"]

__getattr__, __dir__ = lazy_names(
    __name__, {"disable": "txremote.tracing.switch", "enable": "txremote.tracing.switch"}
)

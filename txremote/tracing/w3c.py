"""
The context of a trace as W3C's Trace Context writes it: ``traceparent`` and ``tracestate``.

A context that comes from a peer may be any text. If it does not have the form of one it is left
out, and nothing is logged of it: a peer could fill the log.
"""

from __future__ import annotations

import re
from typing import Final

from opentelemetry.trace import SpanContext, TraceFlags, TraceState

#: Most characters of a ``tracestate``, sent or taken.
LONGEST_STATE: Final = 512

_MOST_MEMBERS = 32

# Of a later version only these parts are known; it may have more.
_PARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-[ -~]{0,200})?")
_KEY = r"[a-z][_0-9a-z*/-]{0,255}|[a-z0-9][_0-9a-z*/-]{0,240}@[a-z][_0-9a-z*/-]{0,13}"
_MEMBER = re.compile(rf"({_KEY})=([ -+\--<>-~]{{0,255}}[!-+\--<>-~])")


def written(context: SpanContext) -> tuple[str, str]:
    """Return the ``traceparent`` and the ``tracestate``, which may be empty, of a context."""
    parent = f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
    return parent, _state_as_text(context.trace_state) if context.trace_state else ""


def _state_as_text(state: TraceState) -> str:
    """Return the members of a state, but for the oldest ones where all are too long."""
    members = [f"{key}={value}" for key, value in state.items()]
    while sum(map(len, members)) + len(members) - 1 > LONGEST_STATE:
        members.pop()
    return ",".join(members)


def read(parent: object, state: object) -> SpanContext | None:
    """Return the context that texts of a peer stand for; None if the first is none."""
    if type(parent) is not str:
        return None
    found = _PARENT.fullmatch(parent)
    if found is None:
        return None
    version, trace, span, flags, more = found.groups()
    if version == "ff" or (version == "00" and more is not None):
        return None
    context = SpanContext(
        trace_id=int(trace, 16),
        span_id=int(span, 16),
        is_remote=True,
        trace_flags=TraceFlags(int(flags, 16)),
        trace_state=_read_state(state),
    )
    return context if context.is_valid else None


def _read_state(text: object) -> TraceState | None:
    if type(text) is not str or not text or len(text) > LONGEST_STATE:
        return None
    pairs: dict[str, str] = {}
    for member in text.split(","):
        found = _MEMBER.fullmatch(member.strip(" \t"))
        if found is None or found[1] in pairs or len(pairs) == _MOST_MEMBERS:
            return None
        pairs[found[1]] = found[2]
    return TraceState(list(pairs.items()))

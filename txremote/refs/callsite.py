"""
`is_called_at_once`: whether the code that reads an attribute calls it at once.

``conn.root.add(1, 2)`` reads ``add`` and calls the result: two requests with RPyC, one where it
is certain that the attribute is only called. CPython's compiler knows. For ``owner.name(...)``
it emits an instruction that loads a method, whose result only the call that follows can see;
for ``owner.name`` alone, for ``getattr``, and for ``owner.name(*args)`` it emits another. So
this module reads the caller's current instruction, by the names and flags that `dis`
documents. Where that is inconclusive (another interpreter, compiled callers, an unknown
instruction set) the answer is no, which is always right and costs one request more.
"""

from __future__ import annotations

import dis
import sys
from types import FrameType

_EXTENDED_ARG = dis.EXTENDED_ARG

# The instruction that loads a method, and by how much its argument is shifted to make
# room for a flag: CPython 3.11 has an instruction of its own, later ones the flag.
_LOAD, _SHIFT = (
    (dis.opmap.get("LOAD_METHOD", -1), 0)
    if sys.version_info < (3, 12)
    else (dis.opmap.get("LOAD_ATTR", -1), 1)
)


def is_called_at_once(frame: FrameType, name: str) -> bool:
    """Tell whether the code of a frame, which reads an attribute, only calls it; if unsure, no."""
    code = frame.f_code.co_code
    at = frame.f_lasti
    if not 0 <= at < len(code) - 1 or code[at] != _LOAD:
        return False
    argument = code[at + 1]
    if _SHIFT and not argument & 1:
        return False
    shift = 8
    while at >= 2 and code[at - 2] == _EXTENDED_ARG:
        at -= 2
        argument |= code[at + 1] << shift
        shift += 8
    names = frame.f_code.co_names
    index = argument >> _SHIFT
    return index < len(names) and names[index] == name


class _Probe:
    """Records how its attributes are read."""

    def __init__(self) -> None:
        self.seen: list[bool] = []

    def __getattr__(self, name: str) -> _Probe:
        self.seen.append(is_called_at_once(sys._getframe(1), name))
        return self

    def __call__(self, *args: object) -> _Probe:
        return self


def _is_known() -> bool:
    """Tell whether this interpreter's instructions are understood."""
    probe = _Probe()
    found = probe.called()
    found = probe.read
    found = probe.read.called(probe.read, probe.called(1))
    found(probe.read)
    return probe.seen == [True, False, False, True, False, True, False]


if sys.implementation.name != "cpython" or not _is_known():
    _LOAD = -1  # pragma: no cover

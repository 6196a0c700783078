"""
The parts of a job in a process that need nothing of Twisted: importing that takes most of the time
in which a worker process starts. All that is more than plain is done by `txremote.work.pickling`.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from types import CoroutineType
from typing import Final

from txremote.work.arrowslices import MARK as ARROW
from txremote.work.buffers import Buffers
from txremote.work.reducers import are_registered, dumps as reducing_dumps

PROTOCOL: Final = 5

#: Its names mean something else in another process.
MAIN: Final = b"__main__"

JobCall = tuple[Callable[..., object], tuple[object, ...], dict[str, object]]


class Terminated(BaseException):
    """The parent wants this job to end. No Exception, so that no job catches it by mistake."""


def plain_dumps(value: object, take: Callable[[pickle.PickleBuffer], bool] | None) -> bytes:
    """Pickle a value in the fastest way, whatever it holds. It raises what any object may."""
    dumps = reducing_dumps if are_registered() else pickle.dumps
    return dumps(value, PROTOCOL, buffer_callback=take)


def plain_result(value: object, buffers: Buffers | None) -> bytes | None:
    """Return a result as bytes, or None if it takes more than `plain_dumps`."""
    try:
        payload = plain_dumps(value, None if buffers is None else buffers.take)
        if MAIN not in payload and not (buffers and ARROW in payload):
            return payload
    except Exception:  # any object's own code; another way may know better
        pass
    if buffers:
        buffers.clear()
    return None


def is_promise(result: object) -> bool:
    """Tell whether a result is a Deferred or a coroutine, which is closed."""
    defer = sys.modules.get("twisted.internet.defer")  # without it there are no Deferreds
    # This looks at the result's __class__, which may be a property and fail: here,
    # and not in the Deferred that the result goes into, which looks at it too.
    if isinstance(result, CoroutineType):
        result.close()
        return True
    return defer is not None and isinstance(result, defer.Deferred)

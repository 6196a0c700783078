"""
Errors of Twisted's endpoints as asyncio's programs expect them: each is an `OSError`, of the class
that belongs to its number, such as `ConnectionRefusedError`.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from twisted.internet.error import CannotListenError, ConnectError, TimeoutError as TookTooLong


@contextmanager
def as_os_errors() -> Iterator[None]:
    """Raise the `OSError` in the place of an error of Twisted's, of connecting or listening."""
    try:
        yield
    except ConnectError as problem:
        raise _of_connecting(problem) from None
    except CannotListenError as problem:
        raise _of_listening(problem) from None


def _of_connecting(problem: ConnectError) -> OSError:
    if isinstance(problem.osError, int):
        return OSError(problem.osError, str(problem.args[0]) or os.strerror(problem.osError))
    if isinstance(problem, TookTooLong):  # by a time-out of the endpoint itself
        return TimeoutError(str(problem))
    return ConnectionError(str(problem))


def _of_listening(problem: CannotListenError) -> OSError:
    cause = problem.socketError
    # a UNIX socket that another server has locked has a sentence for a cause
    number = cause.errno if isinstance(cause, OSError) and cause.errno else errno.EADDRINUSE
    port = os.fsdecode(problem.port) if isinstance(problem.port, bytes) else problem.port  # a path
    where = f"{problem.interface}:{port}" if problem.interface else port
    return OSError(number, f"cannot listen on {where}: {os.strerror(number)}")

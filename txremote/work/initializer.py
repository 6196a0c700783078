"""
Setting up a worker process before its first job.

An *initializer* is a function without arguments. It runs in each new process, in the main thread,
before the process counts as ready, so outside the time of every job. It travels as the first job
of its process (`txremote.work.worker`): this module's function, with the user's as its argument.
So it may print, log and fail as jobs do; where it fails the process has not come up.
"""

from __future__ import annotations

from collections.abc import Callable

from txremote.importing import import_longest
from txremote.wire.exceptions import safe_repr
from txremote.work.plainjobs import Terminated, is_promise

InitializerFunction = Callable[[], object]


def initialize(given: InitializerFunction | str) -> None:
    """Set up this process: in a worker, before its first job. It raises what goes wrong."""
    function = _imported(given) if isinstance(given, str) else given
    try:
        result = function()
    except (Exception, Terminated):
        raise
    except BaseException as error:  # sys.exit() ends no program here
        raise RuntimeError(f"it raised {safe_repr(error)}") from error
    if is_promise(result):
        raise TypeError(
            f"it gave a {type(result).__name__}, which nobody waits for: an initializer is done "
            "when it returns"
        )


def _imported(name: str) -> InitializerFunction:
    parts = name.split(".")
    try:
        found, left = import_longest(parts, len(parts) - 1)
    except LookupError:
        raise ImportError(f"no module {parts[0]!r} is on the path of the process") from None
    function: object = found
    for part in left:
        try:
            function = getattr(function, part)
        except AttributeError:
            raise ImportError(f"{found.__name__!r} has no {'.'.join(left)!r}") from None
    if not callable(function):
        raise TypeError(f"{name} is no function but a {type(function).__name__}")
    return function

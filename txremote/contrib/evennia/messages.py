"""
``obj.msg()`` in a process: the Server says it.

A worker process has no players, so what a job tells an object or an account there would be lost
without a word. It goes to the Server in place of that, in the order in which it was said and before
the job's result, and is said there as if it had been said there: to all sessions of the object.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from functools import wraps
from typing import Any, Final

from evennia.accounts.accounts import DefaultAccount
from evennia.objects.objects import DefaultObject

from txremote.contrib.evennia.joblist import current_reporter
from txremote.levels import Logger
from txremote.work.reducers import dumps

_log = Logger("txremote.game")

#: A kind of message from a job to the Server.
MESSAGE: Final = "message"


def forward() -> None:
    """Have what is said to objects and accounts go to the Server. In a worker, once."""
    for kind in (DefaultObject, DefaultAccount):
        kind.msg = _forwarding(kind.msg)


def _forwarding(msg: Callable[..., object]) -> Callable[..., object]:
    @wraps(msg)
    def forwarded(
        obj: object,
        text: object = None,
        from_obj: object = None,
        session: object = None,
        options: object = None,
        **more: object,
    ) -> None:
        reporter = current_reporter()
        if reporter is None:
            raise RuntimeError("msg() is called in a worker process, outside of its job's thread")
        said = obj, text, from_obj, options, more
        reporter.send(MESSAGE, dumps(said, pickle.HIGHEST_PROTOCOL))

    return forwarded


def deliver(payload: bytes) -> None:
    """Say in the Server what a job of its own has said, in the reactor's thread."""
    try:
        obj, text, from_obj, options, more = pickle.loads(payload)
        kind: Any = DefaultAccount if isinstance(obj, DefaultAccount) else DefaultObject
        # what the object's own class does with a message was done in the job
        kind.msg(obj, text=text, from_obj=from_obj, options=options, **more)
    except Exception:  # the hooks of the game, or an object that has gone
        _log.failure("a message of a job was not delivered")

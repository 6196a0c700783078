"""The seam for drivers: each has an executor, a driver and a guard with all that is asked."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from txremote.blocking.driver import ScriptDriver, ScriptGuard
from txremote.blocking.executor import ScriptExecutor
from txremote.eventloop.executor import LaneExecutor, LoopExecutor
from txremote.eventloop.worker_view import LaneDriver
from txremote.peer.executor import Executor
from txremote.peer.immediate import AnyThread, ImmediateDriver, ImmediateExecutor
from txremote.refs.driver import Driver, ReactorDriver
from txremote.refs.threadguard import LoopGuard, ThreadGuard


@pytest.mark.parametrize(
    ("seam", "implementer"),
    [
        *((Executor, each) for each in (ImmediateExecutor, LoopExecutor, LaneExecutor)),
        (Executor, ScriptExecutor),
        *((Driver, each) for each in (ImmediateDriver, ReactorDriver, LaneDriver, ScriptDriver)),
        *((ThreadGuard, each) for each in (AnyThread, LoopGuard, ScriptGuard)),
    ],
)
def test_what_is_asked_of_a_driver_is_there(seam: Any, implementer: Any) -> None:
    """With the same parameters by the same names."""
    asked = [name for name in vars(seam) if not name.startswith("_") and callable(vars(seam)[name])]
    assert asked
    for name in asked:
        wanted = [*inspect.signature(getattr(seam, name)).parameters]
        if isinstance(inspect.getattr_static(implementer, name), staticmethod):
            wanted.remove("self")
        assert [*inspect.signature(getattr(implementer, name)).parameters] == wanted

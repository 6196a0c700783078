"""
`limited_exec`: sources of people who are not trusted (Evennia's ``evlang.limited_exec``).

Each source has a process of its own (`txremote.work.limited.source_run`). A `LimitedRunner` starts
them, a number at once and the others in their order, and is the place where a program ends.
"""

from __future__ import annotations

import keyword
import os
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from twisted.internet.defer import Deferred, fail
from twisted.python.failure import Failure

from txremote.errors import NotSendable, PoolFull, PoolStopped
from txremote.refs.awaiting import AwaitableDeferred, awaitable
from txremote.work.limited.messages import frame, pack
from txremote.work.limited.sandbox import Sandbox
from txremote.work.limited.source import LimitedResult, LimitedSource, SourceLimits
from txremote.work.limited.source_run import SourceRun
from txremote.work.live import Live
from txremote.work.loops import loop_here
from txremote.work.ports import IPoolReactor
from txremote.work.python_source import title_of
from txremote.work.run import check_thread, name_unhandled

__all__ = ["LimitedResult", "LimitedRunner", "limited_exec"]

_DEFAULTS: Final = SourceLimits()


def limited_exec(
    source: str,
    /,
    names: Mapping[str, object] | None = None,
    *,
    timeout: float = _DEFAULTS.timeout,
    memory: int = _DEFAULTS.memory,
    output: int = _DEFAULTS.output,
    calls: int = _DEFAULTS.calls,
    message: int = _DEFAULTS.message,
    sandbox: Sandbox = "required",
    runner: LimitedRunner | None = None,
) -> Deferred[LimitedResult]:
    """
    Run a source of somebody who is not trusted, in a process of its own.

    Args:
        source: Python, within the rules of RestrictedPython. It gives its result by ``_return``,
            or is an expression.
        names: Its names: values, of which it gets copies, and functions of this program in
            `live()`, which are called in this thread with copies of the arguments, and may give
            a Deferred or a coroutine.
        timeout: Seconds that it may take, calls of those functions included.
        memory: Bytes of address space of its process. The interpreter needs about 40 MiB of them.
        output: Bytes of text that it may print.
        calls: How often it may call those functions.
        message: Bytes of one call's arguments, of one answer, of the result.
        sandbox: ``"required"``: it runs in a sandbox of bubblewrap, without files and network, or
            not at all. ``"none"``: RestrictedPython and the limits are all there is.
        runner: Another one than this loop's own, which runs two for each processor at once.

    Returns:
        A Deferred of its `LimitedResult`. Cancelling it ends the process. It fails with
        `LimitExceeded`, `SourceRefused`, `SourceFailed`, `NoSandbox`, with `PoolFull` when too
        many wait, with `WorkerDied` when its process came to another end, and with TypeError,
        ValueError or `NotSendable` for arguments that make no sense.

    Raises:
        WrongThread: this is not the reactor's thread.
        RuntimeError: an asyncio loop runs here, and `txremote.aio` has not been imported.
    """
    reactor = loop_here("limited_exec")
    check_thread(reactor, "limited_exec")
    try:
        limits = SourceLimits(timeout, memory, output, calls, message)
        values, live = _checked(source, names or {}, limits)
        if sandbox not in ("required", "none"):
            raise ValueError(f'sandbox= takes "required" or "none", not {sandbox!r}')
        if runner is None:
            runner = _runner_of(reactor)
        result = runner.add(source, values, live, limits, sandbox)
    except Exception as error:  # any code of a mapping
        return fail(error)
    name_unhandled(cast("Deferred[object]", result), f"limited_exec of {title_of(source)}")
    return awaitable(result)


def _checked(
    source: object, names: Mapping[str, object], limits: SourceLimits
) -> tuple[object, dict[str, Callable[..., object]]]:
    """Return the values, packed, and the functions."""
    if not isinstance(source, str):
        raise TypeError(f"limited_exec takes a source, which is a str, and not {source!r}")
    values: dict[str, object] = {}
    live: dict[str, Callable[..., object]] = {}
    for name, value in names.items():
        if type(name) is not str or not name.isidentifier() or keyword.iskeyword(name):
            raise ValueError(f"names= has {name!r}, which is no name")
        if name.startswith("_") or name == "printed":
            raise ValueError(f"names= has {name!r}: a limited source may not say that name")
        if isinstance(value, Live):
            if not callable(value.target):
                raise TypeError(
                    f"names[{name!r}] is {value!r}: a limited source gets functions by "
                    "live(), such as live(obj.method), and else copies of values"
                )
            live[name] = value.target
        elif callable(value):
            raise TypeError(f"names[{name!r}] is a function: pass it as live(...)")
        else:
            pack(value, f"names[{name!r}]")
            values[name] = value
    packed = pack(values, "names")
    size = len(frame(source, packed))
    if size > limits.message:
        raise NotSendable(
            f"the source and its values are {size} bytes, more than {limits.message} "
            "(argument message)"
        )
    return packed, live


class LimitedRunner:
    """
    Runs limited sources, a number at once and the others in their order.

    Args:
        reactor: The loop; None for the one that runs here.
        at_once: How many have a process at one time; None for two for each processor.
        queue: How many more may wait.
    """

    def __init__(
        self, reactor: IPoolReactor | None = None, at_once: int | None = None, queue: int = 1000
    ) -> None:
        self._reactor = loop_here("LimitedRunner") if reactor is None else reactor
        self._at_once = 2 * (os.cpu_count() or 1) if at_once is None else at_once
        if self._at_once < 1 or queue < 0:
            raise ValueError(f"at_once= is 1 or more and queue= 0 or more, not {at_once}, {queue}")
        self._queue = queue
        self._waiting: deque[LimitedSource] = deque()
        self._running: set[SourceRun] = set()
        self._stopped: Deferred[None] | None = None
        self.ends_with_loop = False  # then there is no other after it
        self._trigger: object = self._reactor.addSystemEventTrigger(
            "before", "shutdown", self._at_shutdown
        )

    def __repr__(self) -> str:
        return f"<LimitedRunner {len(self._running)} running, {len(self._waiting)} waiting>"

    def add(
        self,
        source: str,
        values: object,
        live: Mapping[str, Callable[..., object]],
        limits: SourceLimits,
        sandbox: Sandbox,
    ) -> Deferred[LimitedResult]:
        """Run a checked source, for `limited_exec`. PoolFull, PoolStopped: it runs no more."""
        if self._stopped is not None:
            raise PoolStopped("the limited sources of this program have been stopped")
        if len(self._running) >= self._at_once and len(self._waiting) >= self._queue:
            raise PoolFull(
                f"{len(self._waiting)} limited sources wait already (option queue of LimitedRunner)"
            )
        result: Deferred[LimitedResult] = AwaitableDeferred(self._cancel)
        self._waiting.append(LimitedSource(source, values, live, limits, sandbox, result))
        self._start()
        return result

    def stop(self) -> Deferred[None]:
        """Start nothing more, end what runs; the Deferred fires when no process is left."""
        if self._trigger is not None:
            self._reactor.removeSystemEventTrigger(self._trigger)
            self._trigger = None
        if self._stopped is None:
            self._stopped = Deferred()
            waiting, self._waiting = self._waiting, deque()
            problem = "the limited sources of this program have been stopped"
            for source in waiting:
                source.result.errback(PoolStopped(problem))
            for run in list(self._running):
                run.end(PoolStopped(problem))
            self._look_for_the_end()
        told: Deferred[None] = Deferred()
        self._stopped.chainDeferred(told)
        return told

    def _at_shutdown(self) -> Deferred[None]:
        self._trigger = None
        self.ends_with_loop = True
        return self.stop()

    def _cancel(self, result: Deferred[LimitedResult]) -> None:
        for source in self._waiting:
            if source.result is result:
                self._waiting.remove(source)
                return
        for run in self._running:
            if run.source.result is result:
                run.end(PoolStopped("cancelled"))  # told to nobody
                return

    def _start(self) -> None:
        while self._waiting and len(self._running) < self._at_once:
            source = self._waiting.popleft()
            try:
                self._running.add(SourceRun(self._reactor, source, self._ended))
            except Exception:  # no sandbox, no RestrictedPython, no process
                source.result.errback(Failure())

    def _ended(self, run: SourceRun) -> None:
        self._running.discard(run)
        result, outcome = run.source.result, run.outcome
        self._start()
        self._look_for_the_end()
        if not result.called:
            if isinstance(outcome, LimitedResult):
                result.callback(outcome)
            else:
                result.errback(outcome)

    def _look_for_the_end(self) -> None:
        if self._stopped is not None and not self._stopped.called and not self._running:
            self._stopped.callback(None)


def _runner_of(reactor: IPoolReactor) -> LimitedRunner:
    """Return a loop's own, which it keeps: they end together."""
    found: LimitedRunner | None = getattr(reactor, "limited_runner", None)
    if found is None or (found._stopped is not None and not found.ends_with_loop):
        keeper: Any = reactor
        found = keeper.limited_runner = LimitedRunner(reactor)
    return found

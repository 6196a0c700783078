"""
Commands that await: `Awaiting`, for any class of commands.

Evennia calls ``func`` and goes on: it never awaits a coroutine, and a Deferred that it gets is
dropped with its error. An `Awaiting` command has its ``func`` driven to its end:

* ``async def func(self)``; or a method that returns a Deferred, one with ``inlineCallbacks``, say;
* ``yield`` in an ``async def`` has Evennia's meaning: a number of seconds to wait, or a question
  to the player, whose answer the ``yield`` gives;
* a plain ``func``, and Evennia's own generators, are left to Evennia;
* ``parse`` and ``at_pre_cmd`` may be ``async def`` too: Evennia waits for those by itself;
* ``at_post_cmd`` is called when ``func`` has ended, and not when it begins to wait.

Other commands of the same player run meanwhile, so what was true before an ``await`` may not be
so after it. A player who leaves ends nothing: the command goes on, and what it says to the caller
is heard by nobody. An error is told to the player in one line, and stands in the log with its
traceback. When the server stops or reloads, what still waits is cancelled (``CancelledError`` at
its ``await``, so ``finally`` runs), and its player is told.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextvars import ContextVar
from functools import wraps
from inspect import isasyncgen, isawaitable, iscoroutinefunction
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from txremote.contrib.evennia.runtime import RELOADING, runtime
from txremote.levels import Logger
from txremote.peer.asyncio_steps import deferred_of
from txremote.refs.clock import steady
from txremote.refs.sharing import follow
from txremote.work.failures import job_failure

T = TypeVar("T")

_log = Logger("txremote.game")

#: The command that is driven here: a ``super().func()`` in it is its own, and not driven anew.
_driven: ContextVar[object] = ContextVar("txremote.awaiting_command", default=None)

#: Where the commands that are begun here are noted, if somebody waits for them (`noting`).
_noted: ContextVar[list[Deferred[None]] | None] = ContextVar(
    "txremote.begun_commands", default=None
)

#: What runs, each with a function that ends it with a reason.
_running: dict[Deferred[None], Callable[[str], None]] = {}


class Awaiting:
    """
    Put before a class of commands: ``class CmdPrice(Awaiting, MuxCommand)``. See the module.
    """

    key: str
    caller: Any
    session: Any
    msg: Callable[..., None]

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        func = getattr(cls, "func", None)
        if func is not None and not hasattr(func, "awaiting"):
            cls.func = _driving(func)  # type: ignore[attr-defined]
        for name in ("parse", "at_pre_cmd"):
            method = getattr(cls, name, None)
            if iscoroutinefunction(method):
                setattr(cls, name, _as_deferred(method))


def driven_command() -> object:
    """Return the awaiting command whose code runs here, or None."""
    return _driven.get()


def noting(call: Callable[[], T]) -> tuple[T, list[Deferred[None]]]:
    """
    Call something, such as ``execute_cmd``, and note the awaiting commands that it begins.

    Returns:
        The result of the call; and a list of Deferreds that fire when the commands have ended,
        which may grow while the call goes on.
    """
    begun: list[Deferred[None]] = []
    before = _noted.set(begun)
    try:
        return call(), begun
    finally:
        _noted.reset(before)


def _driving(func: Callable[..., object]) -> Callable[..., object]:
    """Wrap a ``func``, so that what it gives is driven."""

    @wraps(func)
    def drive(self: Any) -> object:
        if _driven.get() is self:
            return func(self)
        before = _driven.set(self)
        try:
            begun = func(self)
            if not (isawaitable(begun) or isasyncgen(begun)):
                return begun  # Evennia drives its own generators, and runs at_post_cmd
            steps = _stepped(self, begun) if isasyncgen(begun) else _plainly(begun)
            return _Drive(self, deferred_of(steps)).ended
        finally:
            _driven.reset(before)

    drive.awaiting = True  # type: ignore[attr-defined]
    return drive


def _as_deferred(method: Callable[..., Awaitable[object]]) -> Callable[..., Deferred[object]]:
    """Wrap a coroutine function, so that Evennia, which yields what it gives, waits for it."""

    @wraps(method)
    def begin(*args: object) -> Deferred[object]:
        return deferred_of(_plainly(method(*args)))

    return begin


async def _plainly(begun: Awaitable[object]) -> object:
    return await (follow(begun) if isinstance(begun, Deferred) else begun)


async def _stepped(command: Any, steps: AsyncGenerator[object, Any]) -> None:
    """Run an async generator, whose values are Evennia's: seconds to wait, or a question."""
    answer = None
    try:
        while True:
            try:
                wanted = await steps.asend(answer)
            except StopAsyncIteration:
                return
            answer = await _given(command, wanted)
    finally:
        await steps.aclose()


async def _given(command: Any, wanted: object) -> object:
    from evennia.utils.evmenu import get_input
    from twisted.internet import reactor

    if isinstance(wanted, (int, float)):
        loop: Any = reactor
        return await deferLater(steady(loop), wanted)
    if not isinstance(wanted, str):
        raise TypeError(
            f"yield takes seconds or a question in a command, not {type(wanted).__name__}: await it"
        )
    answered: Deferred[object] = Deferred()

    def take(_caller: object, _prompt: str, answer: object, *_args: object) -> bool:
        if not answered.called:
            answered.callback(answer)
        return False  # it is the only one

    get_input(command.caller, wanted, take, session=command.session)
    return await answered


class _Drive:
    """
    One run of an awaiting command.

    Attributes:
        ended: A Deferred that fires when it has ended, whatever came of it.
    """

    def __init__(self, command: Any, work: Deferred[object]) -> None:
        self.ended: Deferred[None] = Deferred()
        self._command = command
        self._why: str | None = None  # it is ended by us
        self._work = work
        _running[self.ended] = self._end
        noted = _noted.get()
        if noted is not None:
            noted.append(self.ended)
        # Evennia calls it next, and it is not time yet: this one call of it does nothing
        command.at_post_cmd = lambda: vars(command).pop("at_post_cmd", None) and None
        work.addCallbacks(self._succeeded, self._failed).addBoth(self._over)
        if runtime.stopping and not self.ended.called:
            self._end(RELOADING)  # it was begun after all others were ended

    def _end(self, why: str) -> None:
        self._why = why
        self._work.cancel()

    def _succeeded(self, _result: object) -> Deferred[None]:
        post: Any = getattr(type(self._command), "at_post_cmd", lambda _command: None)
        return maybeDeferred(post, self._command).addErrback(self._failed)

    def _failed(self, failure: Failure) -> None:
        from evennia.commands.command import InterruptCommand

        if failure.check(InterruptCommand):  # Evennia's way to end a command
            return
        key = getattr(self._command, "key", "command")
        if self._why is not None and failure.check(CancelledError):
            self._tell(f"'{key}' was ended: {self._why}.")
            return
        # with its cause: the traceback of a job in a process
        whole = job_failure(failure.value) if failure.value is not None else failure
        _log.failure(
            "the command {key!r} of {caller} failed", whole, key=key, caller=self._command.caller
        )
        self._tell(f"'{key}' failed: {in_one_line(failure.value)}")

    def _tell(self, text: str) -> None:
        """Say something to the player, if the session that gave the command is still there."""
        from evennia.utils.ansi import raw

        command = self._command
        try:
            if command.session is None or command.session.logged_in:
                command.msg(raw(text))
        except Exception:  # the caller was deleted, or a hook of the game's fails
            _log.failure("the end of the command {key!r} was not told", key=command.key)

    def _over(self, _result: object) -> None:
        del _running[self.ended]
        self.ended.callback(None)


def in_one_line(error: BaseException | None) -> str:
    """Return what an error says to a player: its text, or its class's name where it has none."""
    words = " ".join(str(error).split())
    name = type(error).__name__
    if not words:
        return "it was cancelled" if isinstance(error, CancelledError) else name
    shown = words if len(words) <= 300 else words[:300] + "..."
    return f"{name}: {shown}" if isinstance(error, LookupError) else shown


def end_all(why: str) -> None:
    """End all commands that wait; their players are told why."""
    for end in list(_running.values()):
        end(why)


runtime.at_stop(end_all)

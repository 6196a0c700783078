"""
`FunctionCalls`: a limited source calls the functions that were declared by ``live()``.

One at a time, since its process waits for the answer; a number of times; with copies of values. A
function may give a Deferred or a coroutine. The source gets its value, or an error of Python's own
classes with the text, without a traceback.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import CoroutineType
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from txremote.errors import NotSendable, RemoteProtocolError
from txremote.levels import Logger
from txremote.peer.asyncio_steps import deferred_of
from txremote.refs.sharing import follow
from txremote.wire.exceptions import without_addresses
from txremote.work.limited.messages import ANSWER, ERROR, RAISED_AS_THEY_ARE, frame, pack, unpack

_LONGEST_TEXT: Final = 1_000  # characters of an error

log = Logger("txremote.limited")


class FunctionCalls:
    """
    The calls of one source. For the reactor's thread.

    Args:
        functions: By name.
        longest: Bytes of an answer, at most.
        reply: Sends the bytes of an answer.
    """

    def __init__(
        self,
        functions: Mapping[str, Callable[..., object]],
        longest: int,
        reply: Callable[[bytes], None],
    ) -> None:
        self.made = 0
        self._functions = functions
        self._longest = longest
        self._reply = reply
        self._busy = False  # whether one has not been answered
        self._waiting: Deferred[Any] | None = None

    def call(self, name: str, packed_args: object, packed_kwargs: object) -> None:
        """Call a function. RemoteProtocolError: there is none, or one has not been answered."""
        args: Any = unpack(packed_args)
        kwargs: Any = unpack(packed_kwargs)
        function = self._functions.get(name)
        if function is None or self._busy or type(args) is not tuple or type(kwargs) is not dict:
            raise RemoteProtocolError("a call that is none")
        if not all(type(key) is str for key in kwargs):
            raise RemoteProtocolError("a call with names that are none")
        self.made += 1
        self._busy = True
        try:
            answer: Any = function(*args, **kwargs)
            if type(answer) is CoroutineType:
                answer = deferred_of(answer)
            elif isinstance(answer, Deferred):
                answer = follow(answer)
        except Exception as error:
            self._raised(name, error)
            return
        if isinstance(answer, Deferred):
            self._waiting = answer
            answer.addCallbacks(self._answer, self._failed, (name,), {}, (name,))
        else:
            self._answer(answer, name)

    def stop(self) -> None:
        """Cancel what has not been answered: nobody waits for it any more."""
        waiting, self._waiting = self._waiting, None
        self._reply = _drop
        if waiting is not None:
            waiting.cancel()

    def _answer(self, value: object, name: str) -> None:
        try:
            message = frame(ANSWER, pack(value, f"the answer of {name}"))
            if len(message) > self._longest:
                raise NotSendable(f"the answer of {name} has more than {self._longest} bytes")
        except NotSendable as problem:
            message = frame(ERROR, "TypeError", str(problem))
        self._send(message)

    def _failed(self, failure: Failure, name: str) -> None:
        self._raised(name, failure.value)

    def _raised(self, name: str, error: BaseException | None) -> None:
        log.debug("{name}, called by a limited source, raised {error!r}", name=name, error=error)
        kind = type(error).__name__
        try:
            only = error.args[0] if isinstance(error, KeyError) and error.args else error
            text = without_addresses(str(only))[:_LONGEST_TEXT]
            message = frame(ERROR, kind, text if kind in RAISED_AS_THEY_ARE else f"{kind}: {text}")
        except Exception:  # str() is any code, and may give what UTF-8 has not
            message = frame(ERROR, "RuntimeError", f"an error in {name} that has no text")
        self._send(message)

    def _send(self, message: bytes) -> None:
        self._waiting = None
        self._busy = False
        self._reply(message)


def _drop(_message: bytes) -> None:
    """Send nothing: the source has ended."""

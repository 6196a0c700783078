"""
Methods that run in a thread when a peer calls them (`txremote.threaded`).

Called by the program itself, a `ThreadedMethod` is an ordinary method. A handler gives a
`ThreadedCall` to the connection's executor in place of the result.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from typing import Any

from txremote.refs.outcome import Outcome


class ThreadedMethod:
    """A method, perhaps bound, that is run in a pool thread for a peer."""

    def __init__(self, function: Callable[..., object]) -> None:
        update_wrapper(self, function)
        self.function = function

    def __get__(self, instance: object, owner: object) -> ThreadedMethod:
        bind = getattr(self.function, "__get__", None)
        if bind is None:  # a callable object, which Python does not bind either
            return self
        bound = bind(instance, owner)
        return self if bound is self.function else ThreadedMethod(bound)

    def __call__(self, /, *args: object, **kwargs: object) -> object:
        """Call the method here and now: the program's own call, not a peer's."""
        return self.function(*args, **kwargs)


class ThreadedCall:
    """A call of a `ThreadedMethod` that is to be run in a thread; references become netrefs."""

    __slots__ = ("args", "kwargs", "method")

    def __init__(
        self, method: ThreadedMethod, args: tuple[object, ...], kwargs: dict[str, object]
    ) -> None:
        self.method = method
        self.args = args
        self.kwargs = kwargs

    def __call__(self) -> object:
        """Run the call here."""
        return self.method.function(*self.args, **self.kwargs)

    def execute(self, view: Any) -> object:
        """Run the call in a thread that may block; return the result as it can travel."""
        args = view.to_netrefs(self.args)
        kwargs = {name: view.to_netrefs(value) for name, value in self.kwargs.items()}
        return view.from_netrefs(self.method.function(*args, **kwargs))

    def outcome(self, view: Any) -> Outcome:
        """Run the call in a thread that may block; return how it ended."""
        try:
            return Outcome(True, self.execute(view))
        except BaseException as error:  # it is the peer's to see, whatever it is
            return Outcome(False, view.protocol.inbound.answers.report(error))


class BlockingCall(ThreadedCall):
    """A function that blocks and needs no netrefs, to be run in a thread."""

    __slots__ = ("function",)

    def __init__(self, function: Callable[[], object]) -> None:
        self.function = function

    def __call__(self) -> object:
        """Run the function here."""
        return self.function()

    def execute(self, view: object) -> object:
        """Run the function in a thread that may block."""
        return self.function()

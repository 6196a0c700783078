"""
Context variables by connection: what stays, what goes, and what is never shared.
"""

from __future__ import annotations

import decimal
from contextvars import Context, ContextVar, copy_context
from typing import Any

import pytest
from twisted.internet.defer import Deferred, inlineCallbacks

from txremote import Service, current_call, exposed
from txremote.peer.variables import Variables, Within, own_context, program_context
from txremote.testing import connected_pair

NAME: ContextVar[str] = ContextVar("name", default="nobody")


def test_what_is_set_stays_for_the_next_and_is_seen_nowhere_else():
    """Neither outside nor with the variables of another."""
    ours, others = Variables(), Variables()
    ours.run(NAME.set, "ann")
    assert ours.run(NAME.get) == "ann"
    assert others.run(NAME.get) == NAME.get() == "nobody"


def test_what_raises_leaves_them_usable():
    """The exception goes to the caller."""
    ours = Variables()
    with pytest.raises(ZeroDivisionError):
        ours.run(divmod, 1, 0)
    assert ours.run(NAME.get) == "nobody"


def test_what_is_set_further_up_the_stack_is_found_by_the_next():
    """
    A context cannot be entered twice at once; nothing is lost by that, and what is set
    meanwhile further down stays.
    """
    ours, others = Variables(), Variables()
    number: ContextVar[int] = ContextVar("number")

    def outer() -> None:
        number.set(1)
        others.run(ours.run, inner)
        number.set(3)

    def inner() -> None:
        assert number.get() == 1
        NAME.set("ann")

    ours.run(outer)
    assert ours.run(NAME.get) == "ann"
    assert ours.run(number.get) == 3
    assert others.run(NAME.get) == "nobody"


def test_each_copy_has_decimals_of_its_own():
    """The object that `decimal` keeps in its variable can be changed in place."""

    def change() -> int:
        decimal.getcontext().prec = 5
        return own_context().run(change_more)

    def change_more() -> int:
        decimal.getcontext().prec += 2
        return decimal.getcontext().prec

    context = Context()
    before = decimal.getcontext().prec
    assert context.run(change) == 7
    assert context.run(lambda: decimal.getcontext().prec) == 5
    assert own_context().run(change) == 7
    assert decimal.getcontext().prec == before


def test_an_awaitable_can_have_one_context_for_all_its_steps():
    """It takes results and exceptions, and a token of one step is good in the next."""
    pauses: list[Deferred[Any]] = [Deferred(), Deferred()]

    async def steps() -> str:
        token = NAME.set("ann")
        await pauses[0]
        with pytest.raises(ZeroDivisionError):
            await pauses[1]
        name = NAME.get()
        NAME.reset(token)
        return name

    async def outer() -> str:
        return await Within(steps().__await__(), copy_context())

    got: list[str] = []
    Deferred.fromCoroutine(outer()).addCallback(got.append)
    pauses[0].callback(None)
    pauses[1].errback(ZeroDivisionError())
    assert got == ["ann"]
    assert NAME.get() == "nobody"


class Club(Service):
    """Sets and tells variables in every way that a reactor's service has."""

    def __init__(self, welcome: str = "") -> None:
        self.welcome = welcome
        self.later: list[Deferred[None]] = []
        self.said: list[str] = []

    async def on_connect(self, conn: Any) -> None:
        if self.welcome:
            NAME.set(self.welcome)

    def on_disconnect(self, conn: Any) -> None:
        self.said.append(NAME.get())

    def _pause(self) -> Deferred[None]:
        self.later.append(Deferred())
        return self.later[-1]

    @exposed
    def set(self, name: str) -> None:
        """Set it at once."""
        NAME.set(name)

    @exposed
    async def set_later(self, name: str) -> str:
        """Set it in a coroutine that waits."""
        before = NAME.get()
        NAME.set(name)
        await self._pause()
        return f"{before}, {NAME.get()}"

    @exposed
    @inlineCallbacks
    def set_in_callbacks(self, name: str) -> Any:
        """Set it where Twisted has a copy of its own."""
        NAME.set(name)
        yield self._pause()
        return NAME.get()

    @exposed
    def get(self) -> str:
        """Tell it."""
        return NAME.get()

    @exposed
    async def get_later(self) -> str:
        """Tell it in a coroutine."""
        return NAME.get()

    @exposed
    def names(self) -> Any:
        """Set it in a plain generator."""
        for name in ("first", "second"):
            NAME.set(name)
            yield NAME.get()

    @exposed
    async def guarded(self) -> Any:
        """Have it set for as long as the generator lasts."""
        token = NAME.set("guard")
        decimal.setcontext(decimal.Context(prec=3))
        try:
            for _ in range(3):
                assert current_call().connection is not None
                yield NAME.get(), str(decimal.Decimal(1) / 3)
        finally:
            NAME.reset(token)
        yield NAME.get(), ""

    @exposed
    def call(self, function: Any) -> Any:
        """Call the caller back."""
        return function()


class TestInAReactor:
    """Two clients of one service instance."""

    def setup_method(self) -> None:
        self.club = Club()
        self.ann = connected_pair(server_root=self.club)
        self.bob = connected_pair(server_root=self.club)

    def ask(self, pair: Any, name: str, *args: Any) -> Any:
        """Call a method, and return its result."""
        return pair.result(getattr(pair.client.root, name)(*args))

    def test_what_a_method_sets_stays_with_its_client(self):
        """And with the next call, coroutine or not."""
        self.ask(self.ann, "set", "ann")
        for name in ("get", "get_later"):
            assert self.ask(self.ann, name) == "ann"
            assert self.ask(self.bob, name) == "nobody"
        assert NAME.get() == "nobody"

    def test_a_coroutine_has_a_copy_whose_changes_are_found_after_its_end(self):
        """Others of the client that run meanwhile do not see them."""
        self.ask(self.ann, "set", "ann")
        waiting = self.ann.client.root.set_later("later")
        assert self.ask(self.ann, "get") == "ann"
        self.club.later[0].callback(None)
        assert self.ann.result(waiting) == "ann, later"
        assert self.ask(self.ann, "get") == "later"
        assert self.ask(self.bob, "get_later") == "nobody"
        assert NAME.get() == "nobody"

    def test_inline_callbacks_keep_theirs_to_themselves(self):
        """Twisted's copy cannot be reached from outside."""
        waiting = self.ann.client.root.set_in_callbacks("ann")
        self.ann.pump()
        self.club.later[0].callback(None)
        assert self.ann.result(waiting) == "ann"
        assert self.ask(self.ann, "get") == self.ask(self.bob, "get") == "nobody"

    def test_a_plain_generator_runs_with_its_client_s(self):
        """As if the client's own thread ran it."""

        async def read() -> list[str]:
            return [name async for name in await self.ann.client.root.names()]

        assert self.ann.result(Deferred.fromCoroutine(read())) == ["first", "second"]
        assert self.ask(self.ann, "get") == "second"
        assert self.ask(self.bob, "get") == "nobody"

    def test_an_asynchronous_generator_has_one_context_for_life(self):
        """What a step sets is there in the next, and goes when the generator takes it back."""
        self.ask(self.ann, "set", "ann")

        async def read() -> list[Any]:
            return [item async for item in await self.ann.client.root.guarded()]

        assert self.ann.result(Deferred.fromCoroutine(read())) == [
            *[("guard", "0.333")] * 3,
            ("ann", ""),
        ]
        assert self.ask(self.ann, "get") == "ann"
        assert decimal.getcontext().prec == 28

    def test_a_call_within_a_call_sets_them_for_what_follows(self):
        """Its context is entered already, in memory: what it sets comes a call later."""

        def back() -> Any:
            return self.ann.client.root.set("back")

        self.ask(self.ann, "call", back)
        assert self.ask(self.ann, "get") == "back"
        assert self.ask(self.bob, "get") == "nobody"

    def test_what_a_coroutine_that_greets_sets_is_there_for_all_calls(self):
        """And for the hook that says good-bye."""
        club = Club(welcome="guest")
        pair = connected_pair(server_root=club)
        assert self.ask(pair, "get") == "guest"
        assert self.ask(self.ann, "get") == "nobody"
        pair.client.close()
        pair.pump()
        assert club.said == ["guest"]


def test_a_service_begins_with_its_program_s_variables():
    """Those of whoever has set it up, decimals included; and changes none of them."""

    def play() -> tuple[str, str]:
        NAME.set("program")
        pair = connected_pair(server_root=Club())
        before = pair.result(pair.client.root.get())
        pair.result(pair.client.root.set("client"))
        return before, NAME.get()

    assert own_context().run(play) == ("program", "program")


def test_what_is_set_up_in_a_client_s_call_does_not_begin_with_its_variables():
    """It may be for others."""

    class Opens(Service):
        @exposed
        def open(self) -> Any:
            """Look at what a listener would begin with."""
            NAME.set("ann")
            return program_context().get(NAME, "nothing"), NAME.get()

    pair = connected_pair(server_root=Opens())
    assert pair.result(pair.client.root.open()) == ("nothing", "ann")

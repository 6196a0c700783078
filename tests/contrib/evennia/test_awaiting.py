"""How commands that await are driven: what does not need a game. See test_plugin, too."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred, inlineCallbacks, succeed

from txremote.contrib.evennia.awaiting import Awaiting, end_all, in_one_line, noting
from txremote.contrib.evennia.runtime import runtime


class Base:
    """As far as `Awaiting` knows a command of Evennia's."""

    key = "it"
    session = None

    def __init__(self) -> None:
        self.said: list[object] = []
        self.caller = self

    def func(self) -> Any:
        """Do nothing: Evennia's own default."""

    def at_post_cmd(self) -> None:
        """Evennia's hook."""
        self.said.append("post")


def run(command: Any) -> Any:
    """Do what Evennia does with a command."""
    result = command.func()
    if not isinstance(result, Generator):
        command.at_post_cmd()
    return result


class Waits(Awaiting, Base):
    """Waits for a Deferred."""

    def __init__(self) -> None:
        super().__init__()
        self.gate: Deferred[object] = Deferred()

    async def func(self) -> None:
        """Wait."""
        self.said.append(await self.gate)


class WaitsInTwistedsWay(Waits):
    """The same, older."""

    @inlineCallbacks
    def func(self) -> Any:
        """Wait."""
        self.said.append((yield self.gate))


class WaitsAboveAnother(Waits):
    """Calls what it derives from."""

    async def func(self) -> None:
        """Wait."""
        await super().func()
        self.said.append("above")


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (Waits, ["now", "post"]),
        (WaitsInTwistedsWay, ["now", "post"]),
        (WaitsAboveAnother, ["now", "above", "post"]),
    ],
)
def test_a_command_goes_on_when_its_deferred_fires(kind: Any, said: list[str]) -> None:
    """Its at_post_cmd is called after that, once."""
    command = kind()
    ended = run(command)
    assert command.said == []
    command.gate.callback("now")
    assert command.said == said
    assert ended.called


def test_what_does_not_wait_is_done_when_evennia_goes_on() -> None:
    """So Evennia's own class for tests of commands sees it."""
    command = Waits()
    command.gate = succeed("at once")
    run(command)
    assert command.said == ["at once", "post"]


def test_plain_commands_and_evennia_s_generators_are_left_to_evennia() -> None:
    """Their results come as they are."""

    class Plain(Awaiting, Base):
        def func(self) -> Any:
            self.said.append("plain")

    class Steps(Awaiting, Base):
        def func(self) -> Any:
            yield 3

    plain = Plain()
    run(plain)
    assert plain.said == ["plain", "post"]
    assert list(run(Steps())) == [3]


def test_parse_may_await() -> None:
    """Evennia waits for what it gives, if that is a Deferred."""

    class Parses(Waits):
        async def parse(self) -> object:
            return await self.gate

    command: Any = Parses()
    parsing = command.parse()
    assert not parsing.called
    command.gate.callback("words")
    assert parsing.result == "words"


def test_whoever_runs_a_command_may_wait_for_its_end() -> None:
    """Evennia's own Deferred of execute_cmd fires before."""
    command = Waits()
    result, [begun] = noting(lambda: run(command))
    assert result is begun
    assert not begun.called
    command.gate.callback("now")
    assert begun.called
    assert noting(lambda: 1) == (1, [])


class Cleans(Waits):
    """Ends well when it is cancelled."""

    async def func(self) -> None:
        """Wait."""
        try:
            await self.gate
        except CancelledError:
            self.said.append("cleaned")


def test_what_begins_when_all_else_was_ended_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody would hear of it otherwise."""
    monkeypatch.setattr(runtime, "stopping", True)
    command = Cleans()
    run(command)
    assert command.said == ["cleaned", "post"]


def test_what_waits_is_cancelled_when_the_game_stops() -> None:
    """Its ``finally`` runs; one that ends well in spite of it is not told of."""
    command = Cleans()
    run(command)
    end_all("the game stops")
    assert command.said == ["cleaned", "post"]
    end_all("the game stops")
    assert command.said == ["cleaned", "post"]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ValueError("no  such\nthing"), "no such thing"),
        (KeyError("lute"), "KeyError: 'lute'"),
        (ZeroDivisionError(), "ZeroDivisionError"),
        (CancelledError(), "it was cancelled"),
        (ValueError("x" * 400), "x" * 300 + "..."),
    ],
)
def test_a_player_reads_an_error_in_one_line(error: Exception, words: str) -> None:
    """A KeyError's text is only its key."""
    assert in_one_line(error) == words

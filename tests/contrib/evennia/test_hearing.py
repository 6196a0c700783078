"""What an object of the game's hears, told to listeners too: without Evennia."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tests.peer.pairs import logged
from txremote.contrib.evennia.hearing import MOST_LISTENERS, hear


class Character:
    """As far as `hear` knows one: Evennia calls the hook of each with all that it is told."""

    pk = 1
    key = "ann"

    def __init__(self) -> None:
        self.ndb = SimpleNamespace()
        self.deaf = False

    def at_msg_receive(self, text: Any = None, from_obj: Any = None, **kwargs: Any) -> bool:
        """Evennia's hook."""
        return not self.deaf


def test_listeners_hear_what_the_hook_lets_through() -> None:
    """Texts come alone or with options; what is no text is not for listeners."""
    character = Character()
    heard: list[str] = []
    end = hear(character, heard.append)
    assert character.at_msg_receive(text="a")
    assert character.at_msg_receive(text=("b", {"type": "look"}), from_obj=character)
    assert character.at_msg_receive(text=None, options={})
    character.deaf = True
    assert not character.at_msg_receive(text="c")
    end()
    assert heard == ["a", "b"]


def test_the_object_is_as_before_when_nobody_listens() -> None:
    """One listener's end is not another's, and may be said twice."""
    character = Character()
    first: list[str] = []
    second: list[str] = []
    ends = [hear(character, first.append), hear(character, second.append)]
    ends[0]()
    ends[0]()
    character.at_msg_receive(text="a")
    assert (first, second) == ([], ["a"])
    ends[1]()
    ends[1] = hear(character, second.append)
    ends[0]()
    character.at_msg_receive(text="b")
    assert (first, second) == ([], ["a", "b"])
    ends[1]()
    assert "at_msg_receive" not in vars(character)
    assert not vars(character.ndb)


def test_a_listener_that_fails_is_logged_and_the_others_hear() -> None:
    """Its character goes on hearing."""
    character = Character()
    heard: list[str] = []

    def fails(_text: str) -> None:
        raise ZeroDivisionError

    hear(character, fails)
    hear(character, heard.append)
    with logged() as log:
        assert character.at_msg_receive(text="a")
    assert heard == ["a"]
    assert "a listener of" in log.text()


def test_listeners_are_bounded() -> None:
    """A client may begin to listen as often as it likes."""
    character = Character()
    ends = [hear(character, print) for _each in range(MOST_LISTENERS)]
    with pytest.raises(ValueError, match="100 listen to ann already"):
        hear(character, print)
    ends[0]()
    hear(character, print)

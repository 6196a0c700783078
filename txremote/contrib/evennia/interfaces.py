"""
The interfaces and records of a game's objects, as clients know them.

An interface has all that a client can reach of a thing; a record is what comes as a value, in one
message. Neither needs Evennia, so clients may import them: `txremote.typed` takes the interfaces,
and records arrive as their classes where a client declares them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from twisted.internet.defer import Deferred
from zope.interface import Interface

from txremote.service import expose


@dataclass
class AccountRecord:
    """
    An account, as its owner sees it.

    Attributes:
        name: Its name.
        permissions: Its permissions, as the game writes them.
        superuser: Whether it may do everything.
        characters: The names of its characters.
        playing: The names of those that it plays just now.
    """

    name: str
    permissions: list[str]
    superuser: bool
    characters: list[str]
    playing: list[str]


@dataclass
class OnlineRecord:
    """
    Somebody who is connected, as the game's ``who`` shows it.

    Attributes:
        name: The account's name.
        connected: Seconds since it came.
        idle: Seconds since its last command.
        character: Whom it plays, and `room`: where; None for those who may not know.
    """

    name: str
    connected: float
    idle: float
    character: str | None = None
    room: str | None = None


@dataclass
class ObjectRecord:
    """
    An object of the game's, as an account sees it.

    Attributes:
        id: Its number in the database.
        name: Its name, as it looks to the account, without markup.
        kind: ``"character"``, ``"room"``, ``"exit"`` or ``"object"``.
    """

    id: int
    name: str
    kind: str


@dataclass
class RoomRecord(ObjectRecord):
    """
    A room with what can be seen in it.

    Attributes:
        text: The text that ``look`` shows, without markup.
        exits, characters, things: Its contents, by kind.
    """

    text: str
    exits: list[ObjectRecord]
    characters: list[ObjectRecord]
    things: list[ObjectRecord]


class IAccount(Interface):
    """An account, to the one who has logged in by it."""

    def info() -> AccountRecord:
        """Return what it is."""

    def characters() -> object:
        """Return its characters: a tuple of `ICharacter`."""


class IObject(Interface):
    """A thing of the game's."""

    def info() -> ObjectRecord:
        """Return what it is."""

    def look() -> str:
        """Return what looking at it shows, without markup."""

    def location() -> object:
        """Return where it is, an `IObject` or an `IRoom`; None: nowhere that can be seen."""

    def contents() -> list[ObjectRecord]:
        """Return what can be seen in it."""


class IRoom(IObject):
    """A room."""

    def room() -> RoomRecord:
        """Return what it is with all that can be seen in it."""


class ICharacter(IObject):
    """A character; the last four are for those whose character it is."""

    def enter() -> None:
        """
        Come into the game, where the character was last, if no player has brought it there.

        The rooms see it come and go as if by a player. It leaves when the connection ends.
        """

    def say(text: str) -> Deferred[list[str]]:
        """Say something; see `execute`."""

    def execute(line: str) -> Deferred[list[str]]:
        """
        Do a command, as if it were typed.

        Its locks, nicks and everything hold. Gives what the character hears until the command has
        ended, without markup: that is nearly always its answer, and may be somebody's talk besides.

        Raises:
            PermissionError: the account does not play this character.
            ValueError: the line is empty, too long, or more than one.
        """

    def hear(listener: Callable[[str], object]) -> object:
        """
        Have a function of the client's called with each text that the character hears.

        Returns:
            A function that ends it. It ends with the connection as well.
        """


for _interface in (IAccount, IObject, IRoom, ICharacter):
    expose(_interface)

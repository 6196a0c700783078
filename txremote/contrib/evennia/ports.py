"""The parts of Evennia's objects that are used here, as types: Evennia has none of its own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from twisted.internet.defer import Deferred


class Handler(Protocol):
    """A handler of an object's: of its sessions, permissions or characters."""

    def all(self) -> Iterable[str]:
        """Return all that it handles."""

    def count(self) -> int:
        """Return how many that are."""


class Attributes(Protocol):
    """The values that are kept with an object in the database."""

    def get(self, key: str) -> list[Thing | None] | None:
        """Return what has a name; here the characters of an account."""


class Locks(Protocol):
    """The locks of an object."""

    def cache_lock_bypass(self, obj: object) -> None:
        """Look again whether a superuser has the object, who passes every lock."""

    def check_lockstring(self, accessing_obj: object, lockstring: str) -> bool:
        """Tell whether somebody passes a lock."""


class Thing(Protocol):
    """
    An object of the game's: a room, a character, an exit or a thing (``DefaultObject``).

    Attributes:
        pk: Its number in the database; None of one that was deleted.
        key: Its name.
        location: Where it is.
        contents: The objects in it.
        sessions: The sessions of those who play it.
        account: The account that plays it; None: nobody does.
        locks: Its locks.
        ndb: The values that are kept with it until the server ends.
    """

    pk: int | None
    key: str
    location: Thing | None
    contents: list[Thing]
    sessions: Handler
    account: Account | None
    locks: Locks
    ndb: object

    def access(self, accessing_obj: object, access_type: str) -> bool:
        """Tell whether somebody passes one of its locks."""

    def get_display_name(self, looker: object) -> str:
        """Return its name, as somebody sees it."""

    def contents_get(self, *, content_type: str) -> list[Thing]:
        """Return what is in it, of one kind."""

    def filter_visible(self, obj_list: list[Thing], looker: object) -> list[Thing]:
        """Return those of some objects in it that somebody sees."""

    def at_look(self, target: Thing) -> str:
        """Return what it sees when it looks at something."""

    def at_msg_receive(self, text: object = None, from_obj: object = None) -> bool:
        """Tell whether it gets a text that is sent to it."""

    def execute_cmd(self, raw_string: str) -> Deferred[object]:
        """Do a command."""

    def at_pre_puppet(self, account: object, session: object = None) -> None:
        """Come into the game."""

    def at_post_puppet(self) -> None:
        """Have come into the game."""

    def at_post_unpuppet(self, account: object = None, session: object = None) -> None:
        """Leave the game."""


class Account(Protocol):
    """
    An account (``DefaultAccount``).

    Attributes:
        pk, key: As of a `Thing`.
        is_active: Whether it may log in.
        is_superuser: Whether it may do everything.
    """

    pk: int | None
    key: str
    is_active: bool
    is_superuser: bool
    permissions: Handler
    attributes: Attributes
    locks: Locks

    def is_banned(self, *, username: str, ip: str) -> bool:
        """Tell whether a name or an address is banned."""

    def check_permstring(self, permstring: str) -> bool:
        """Tell whether it has a permission, or a higher one."""

    def get_all_puppets(self) -> list[Thing]:
        """Return the characters that it plays just now."""

    def at_look(self, target: Thing) -> str:
        """Return what it sees when it looks at something."""

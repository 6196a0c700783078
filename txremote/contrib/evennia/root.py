"""
The object that clients of a game get: `World`, the root of those who have logged in.

A bot, a map or a web page asks who is there, looks around, and acts as the account's own
character. The game's objects themselves are never handed out: clients hold *views* of them, which
have the names of an interface (`IObject`, `IRoom`, `ICharacter`) and ask the locks at each call,
for the account that has logged in. So no attribute of an object is readable but by these names,
and what they give are values: texts, numbers and records.

An account may see what its characters see where they are: the lock ``view`` and the
class's ``filter_visible``. A builder sees what is elsewhere, too. It may do the commands
of its character, by their locks. A character that somebody else plays just now has the rights of
that one: its own account neither acts by it nor hears what it hears.

A game derives its own root, and adds exposed methods; ``self.account`` is who has logged in::

    class MyWorld(World, values=True):
        @exposed
        @needs("Builder")
        def weather(self, text: str) -> None: ...

All of it runs in the reactor's thread, as commands do.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from zope.interface import implementer

from txremote.contrib.evennia.awaiting import noting
from txremote.contrib.evennia.fairness import turn_of
from txremote.contrib.evennia.hearing import hear
from txremote.contrib.evennia.interfaces import (
    AccountRecord,
    IAccount,
    ICharacter,
    IObject,
    IRoom,
    ObjectRecord,
    OnlineRecord,
    RoomRecord,
)
from txremote.contrib.evennia.login import as_it_is, is_there, may, needs, still_there
from txremote.contrib.evennia.ports import Account, Thing
from txremote.levels import Logger
from txremote.peer.context import current_call
from txremote.peer.turns import turns_of
from txremote.refs.sharing import follow
from txremote.service import Service, exposed

_log = Logger("txremote.game")

#: Longest command line that a client may send, in characters.
LONGEST_LINE = 4000

#: Most characters of text that `CharacterView.execute` gives, before its last line.
MOST_HEARD = 1 << 20


class _View:
    """An object of the game's as a client holds it: the object, and who looks at it."""

    _copies_values = True  # what is annotated with a record goes as one

    def __init__(self, account: Account, obj: Thing) -> None:
        self._account = account
        self._obj = obj

    def _seen(self) -> Thing:
        """Return the object, if it is there and its account may see it."""
        self._account = still_there(self._account)
        obj = as_it_is(self._obj)
        if obj is None:
            raise LookupError("it is not in the game any more")
        if not can_see(self._account, obj):
            raise PermissionError("it cannot be seen")
        self._obj = obj
        return obj


@implementer(IObject)
class ObjectView(_View):
    """A view of an object; see `IObject`."""

    def info(self) -> ObjectRecord:
        """Return what it is."""
        return record_of(self._seen(), self._looker)

    def look(self) -> str:
        """Return what looking at it shows."""
        return plain(self._looker.at_look(self._seen()))

    def location(self) -> ObjectView | None:
        """Return where it is."""
        return view_of(self._account, self._seen().location)

    def contents(self) -> list[ObjectRecord]:
        """Return what can be seen in it."""
        obj = self._seen()
        return _records(obj, obj.contents, self._looker)

    @property
    def _looker(self) -> Thing | Account:
        return looker_of(self._account)


@implementer(IRoom)
class RoomView(ObjectView):
    """A view of a room; see `IRoom`."""

    def room(self) -> RoomRecord:
        """Return what it is with all that can be seen in it."""
        obj, looker = self._seen(), self._looker
        own = record_of(obj, looker)
        exits, characters, things = (
            _records(obj, obj.contents_get(content_type=kind), looker)
            for kind in ("exit", "character", "object")
        )
        return RoomRecord(own.id, own.name, own.kind, self.look(), exits, characters, things)


@implementer(ICharacter)
class CharacterView(ObjectView):
    """A view of a character; see `ICharacter`."""

    def enter(self) -> None:
        """Come into the game."""
        character = self._played()
        if character.location is not None:
            return
        character.at_pre_puppet(self._account, session=None)
        if character.location is None:
            raise LookupError(f"{character.key} has no place in the game, and no home")
        character.at_post_puppet()
        ended = current_call().connection.when_disconnected()
        ended.addCallback(lambda _ended: _leave(character, self._account))
        ended.addErrback(lambda failure: _log.failure("a character did not leave", failure))

    def say(self, text: str) -> Deferred[list[str]]:
        """Say something."""
        return self.execute(f"say {text}")

    def execute(self, line: str) -> Deferred[list[str]]:
        """Do a command."""
        return Deferred.fromCoroutine(self._execute(_checked_line(line)))

    def hear(self, listener: Callable[[str], object]) -> Callable[[], None]:
        """Have a function called with each text that the character hears."""
        character = self._played()

        def told(text: str) -> None:
            if is_there(self._account) and plays(self._account, character):
                _tell(listener, plain(text))

        end = hear(character, told)
        gone = current_call().connection.when_disconnected()
        gone.addBoth(lambda _ended: end())

        def stop() -> None:
            gone.cancel()  # it is not kept until the connection ends

        return stop

    def _played(self) -> Thing:
        character = self._seen()
        if plays(self._account, character):
            return character
        name, account = character.key, self._account.key
        if character in characters_of(self._account):
            raise PermissionError(f"somebody else plays {name}, or {account} may not play it")
        raise PermissionError(f"{name} is no character of {account}'s")

    async def _execute(self, line: str) -> list[str]:
        from twisted.internet import reactor

        await turn_of(current_call().connection, turns_of(reactor))
        character = self._played()
        heard = Heard()
        end = hear(character, lambda text: heard.take(plain(text)))
        try:
            done, begun = noting(lambda: character.execute_cmd(line))
            await follow(done)
            await DeferredList([follow(each) for each in begun], consumeErrors=True)
        finally:
            end()
        return heard.texts


@implementer(IAccount)
class AccountView:
    """A view of the account that has logged in; see `IAccount`."""

    _copies_values = True

    def __init__(self, account: Account) -> None:
        self._account = account

    def info(self) -> AccountRecord:
        """Return what it is."""
        account = still_there(self._account)
        return AccountRecord(
            account.key,
            sorted(account.permissions.all()),
            account.is_superuser,
            [each.key for each in characters_of(account)],
            [each.key for each in account.get_all_puppets()],
        )

    def characters(self) -> tuple[CharacterView, ...]:
        """Return its characters."""
        account = still_there(self._account)
        return tuple(CharacterView(account, each) for each in characters_of(account))


class World(Service, values=True):
    """
    The root of a game, to an account that has logged in.

    Attributes:
        account: The account, an ``Account`` of the game's; None where the game has
            ``"login": False``: then there is only `who`.
    """

    account: Account | None = None

    @exposed
    def me(self) -> AccountView:
        """Return the account that has logged in, an `IAccount`."""
        return AccountView(self._account())

    @exposed
    def who(self) -> list[OnlineRecord]:
        """Return who is connected; whom they play and where, to those whom ``who`` tells it."""
        import evennia

        tells = self.account is not None and (
            may(self._account(), "Developer") or may(self._account(), "Admins")
        )
        now = time.time()
        found = []
        for session in evennia.SESSION_HANDLER.get_sessions():
            puppet = session.get_puppet() if tells else None
            where = puppet.location if puppet is not None else None
            found.append(
                OnlineRecord(
                    session.account.key,
                    now - session.conn_time,
                    now - session.cmd_last_visible,
                    None if puppet is None else puppet.key,
                    None if where is None else where.key,
                )
            )
        return sorted(found, key=lambda record: record.name)

    @exposed
    def character(self, name: str = "") -> CharacterView:
        """
        Return a character of the account's, an `ICharacter`.

        Args:
            name: Its name; "": the one that is played just now, or else the only one.

        Raises:
            LookupError: there is none, or more than one.
        """
        account = self._account()
        own = characters_of(account)
        if name:
            chosen = [each for each in own if each.key.lower() == name.lower()]
        else:
            chosen = list(account.get_all_puppets()) or own
        if len(chosen) != 1:
            names = ", ".join(each.key for each in own) or "none"
            raise LookupError(f"say which character: {account.key} has {names}")
        return CharacterView(account, chosen[0])

    @exposed
    @needs("Builder")
    def find(self, name: str) -> ObjectView | None:
        """
        Return an object by its number, as ``"#7"``, or its name; for builders.

        Returns:
            An `ICharacter`, an `IRoom` or an `IObject`.

        Raises:
            LookupError: there is none, more than one, or it is not to be seen.
        """
        from evennia.objects.models import ObjectDB

        account = self._account()
        found = [
            each
            for each in ObjectDB.objects.object_search(name, exact=True)
            if can_see(account, each)
        ]
        if len(found) != 1:
            raise LookupError(f"there are {len(found)} objects of that name")
        return view_of(account, found[0])

    def _account(self) -> Account:
        if self.account is None:
            raise PermissionError("only for those who have logged in")
        self.account = still_there(self.account)
        return self.account


class Heard:
    """
    The texts that a command's character has heard so far, up to `MOST_HEARD`.

    Attributes:
        texts: They; a last line tells that there were more.
    """

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._left = MOST_HEARD

    def take(self, text: str) -> None:
        """Take a text."""
        if self._left > 0:
            self._left -= len(text) + 1
            self.texts.append(text if self._left > 0 else "[more was heard, and is left out]")


def plain(text: str) -> str:
    """Return a text of the game's without its colours and other markup."""
    from evennia.utils.ansi import strip_ansi

    return str(strip_ansi(text))


def _tell(listener: Callable[[str], object], text: str) -> None:
    """Tell a client something; one that cannot be told has gone, or knows of its error."""
    maybeDeferred(listener, text).addErrback(lambda _failure: None)


def _leave(character: Thing, account: Account) -> None:
    """Have a character leave the game, unless a player has it by now."""
    if character.pk is not None and not character.sessions.count():
        character.at_post_unpuppet(account, session=None)


def characters_of(account: Account) -> list[Thing]:
    """Return the characters of an account that are still there."""
    # account.characters writes to the database each time that it is asked (Evennia 6.1)
    found = account.attributes.get("_playable_characters") or []
    return [each for each in found if each is not None and each.pk is not None]


def plays(account: Account, character: Thing) -> bool:
    """Tell whether an account may act as a character: it plays it, or could and nobody does."""
    if character.account is not None:  # whoever plays it lends it all rights
        return character.account == account
    # of those who play it now, and of nobody who did before
    character.locks.cache_lock_bypass(character)
    return character in characters_of(account) and bool(character.access(account, "puppet"))


def played_by(account: Account) -> list[Thing]:
    """Return the characters by which an account may act: those that it plays just now are first."""
    playing = list(account.get_all_puppets())
    others = [each for each in characters_of(account) if each not in playing]
    return playing + [each for each in others if plays(account, each)]


def looker_of(account: Account) -> Thing | Account:
    """Return who looks for an account: the character that it plays, or its first one, or itself."""
    lookers = played_by(account)
    return lookers[0] if lookers else account


def can_see(account: Account, obj: Thing) -> bool:
    """Tell whether an account may see an object: it is near, and has the lock ``view`` for it."""
    lookers = played_by(account)
    if obj in lookers or obj in characters_of(account):
        return True
    if not any(_is_near(each, obj) for each in lookers) and not may(account, "Builder"):
        return False
    return bool(obj.access(lookers[0] if lookers else account, "view"))


def _is_near(looker: Thing, obj: Thing) -> bool:
    """Tell whether an object is around somebody, or beside or in him."""
    around = looker.location
    if obj.location is not None and obj.location in (looker, around):
        return True
    while around is not None and around != obj:
        around = around.location
    return around is not None


def view_of(account: Account, obj: Thing | None) -> ObjectView | None:
    """Return a view of an object of the game's, by its kind; None of what cannot be seen."""
    if obj is None or not can_see(account, obj):
        return None
    views = {"character": CharacterView, "room": RoomView}
    return views.get(kind_of(obj), ObjectView)(account, obj)


def kind_of(obj: Thing) -> str:
    """Return the kind of an object, as `ObjectRecord` has it."""
    return str(getattr(obj, "_content_types", ("object",))[0])


def record_of(obj: Thing, looker: Thing | Account) -> ObjectRecord:
    """Return an object as somebody sees it."""
    return ObjectRecord(obj.pk or 0, plain(obj.get_display_name(looker)), kind_of(obj))


def _records(container: Thing, objects: list[Thing], looker: Thing | Account) -> list[ObjectRecord]:
    visible = container.filter_visible(objects, looker)
    return [record_of(each, looker) for each in visible]


def _checked_line(line: str) -> str:
    text = line.strip()
    if not text or len(text) > LONGEST_LINE or "\n" in text or "\r" in text:
        raise ValueError(f"a command is one line of 1 to {LONGEST_LINE} characters")
    return text

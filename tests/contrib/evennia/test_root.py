"""What a client of a game may see and do, asked without a network. See test_plugin, too."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contrib.evennia.game import Game, needs_evennia
from txremote.contrib.evennia.root import MOST_HEARD, Heard

pytestmark = needs_evennia

PREPARED = """
from django.conf import settings
settings.MAX_NR_CHARACTERS = 2
from types import SimpleNamespace
from evennia import AccountDB, ObjectDB
from evennia.utils.create import create_account, create_object
from txremote.contrib.evennia.root import World, can_see, kind_of, view_of
from txremote.peer.context import current

def world_of(account):
    world = World()
    world.account = account
    current.set(SimpleNamespace(avatar=world, peer=None))
    return world

def tried(call, *args):
    try:
        return call(*args)
    except Exception as error:
        return f"{type(error).__name__}: {error}"

limbo = ObjectDB.objects.get(id=2)
made = []
for name in ("ann", "bob"):
    account = create_account(name, "", "tolkien-99", permissions=["Player"])
    character, errors = account.create_character(key=name, location=limbo, home=limbo)
    made.append((account, character))
(ann, her), (bob, his) = made
secret = create_object(
    "typeclasses.objects.Object", key="a secret", location=limbo, locks="view:perm(Builder)"
)
"""


@pytest.fixture(scope="module")
def game(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Game]:
    """Make a game that is never started."""
    with Game(tmp_path_factory.mktemp("root")) as made:
        yield made


def test_views_ask_the_locks_and_end_with_their_objects(game: Game) -> None:
    """What cannot be seen is nowhere; what was deleted is gone; nobody plays for another."""
    printed = game.python(
        PREPARED
        + """
world = world_of(ann)
print(can_see(ann, secret), view_of(ann, secret), view_of(ann, limbo).info().kind)
print([each.name for each in view_of(ann, limbo).contents()])
print(tried(view_of(ann, his).hear, print))
print(tried(world.find, "a secret"))
print(tried(World().me), len(World().who()))
lamp = create_object("typeclasses.objects.Object", key="a |rlamp|n", location=limbo)
seen = view_of(ann, lamp)
print(seen.info().name, seen.location().info().name)
lamp.locks.add("view:false()")
print(tried(seen.info))
lamp.delete()
print(tried(seen.look))
extra, errors = ann.create_character(key="anna", location=limbo, home=limbo)
print(tried(world.character), "|", world.character("ANNA").info().name)
me = world.me()
print(me.info().characters)
ann.is_active = False
print(tried(me.info))
"""
    )
    assert printed.splitlines() == [
        "False None room",
        "['admin', 'bob']",
        "PermissionError: bob is no character of ann's",
        "PermissionError: find() needs Builder",
        "PermissionError: only for those who have logged in 0",
        "a lamp Limbo",
        "PermissionError: it cannot be seen",
        "LookupError: it is not in the game any more",
        "LookupError: say which character: ann has ann, anna | anna",
        "['ann', 'anna']",
        "PermissionError: this account is no more",
    ]


def test_a_character_that_somebody_else_plays_lends_no_rights(game: Game) -> None:
    """Neither while a superuser plays it nor afterwards."""
    printed = game.python(
        PREPARED.replace('("ann", "bob")', '("dora", "ed")')
        + """
admin = AccountDB.objects.get(id=1)
view = view_of(ann, her)
her.account = admin
her.locks.cache_lock_bypass(her)
print(tried(view.hear, print))
print(can_see(ann, secret))
del her.account
print(view._played() is her, bool(her.locks.lock_bypass), can_see(ann, secret))
her.locks.add("puppet:false()")
print(tried(view.hear, print))
"""
    )
    assert printed.splitlines() == [
        "PermissionError: somebody else plays dora, or dora may not play it",
        "False",
        "True False False",
        "PermissionError: somebody else plays dora, or dora may not play it",
    ]


def test_a_view_is_of_what_is_near_and_as_it_is_now(game: Game) -> None:
    """A room that was left is not watched; a view outlives Evennia's cache, and writes nothing."""
    printed = game.python(
        PREPARED.replace('("ann", "bob")', '("fay", "gil")')
        + """
from django.db import connection
from evennia.utils.idmapper.models import flush_cache
cellar = create_object("typeclasses.rooms.Room", key="cellar")
room, view = view_of(ann, limbo), view_of(ann, her)
her.move_to(cellar, quiet=True)
print(tried(room.info), view.location().info().name)
ann.permissions.add("Builder")
print(room.info().name)
ann.permissions.remove("Builder")
connection.force_debug_cursor = True
view.info()
print([each["sql"] for each in connection.queries if not each["sql"].startswith("SELECT")])
flush_cache()
account, character = AccountDB.objects.get(pk=ann.pk), ObjectDB.objects.get(pk=her.pk)
print(account is ann, character is her)
character.key = "faye"
print(view.info().name, view._obj is character)
character.delete()
print(tried(view.info))
account.is_active = False
print(tried(view.info))
"""
    )
    assert printed.splitlines() == [
        "PermissionError: it cannot be seen cellar",
        "Limbo",
        "[]",
        "False False",
        "faye True",
        "LookupError: it is not in the game any more",
        "PermissionError: this account is no more",
    ]


def test_a_command_that_says_too_much_does_not_fill_the_memory() -> None:
    """Its last line tells that there was more."""
    heard = Heard()
    for _ in range(5):
        heard.take("x" * (MOST_HEARD // 2))
    assert [len(each) for each in heard.texts[:-1]] == [MOST_HEARD // 2]
    assert heard.texts[-1] == "[more was heard, and is left out]"

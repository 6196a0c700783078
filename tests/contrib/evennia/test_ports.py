"""What is used of Evennia's objects, held against Evennia."""

from __future__ import annotations

from pathlib import Path

from tests.contrib.evennia.game import Game, needs_evennia

pytestmark = needs_evennia


def test_evennia_s_classes_have_all_that_is_used_of_them(tmp_path: Path) -> None:
    """Under the same names; methods take what they are called with."""
    with Game(tmp_path) as game:
        printed = game.python(
            """
            import inspect
            from evennia import AccountDB, ObjectDB
            from txremote.contrib.evennia.ports import Account, Thing

            for port, known in (
                (Account, AccountDB.objects.get(id=1)), (Thing, ObjectDB.objects.get(id=1))
            ):
                for name, taken in vars(port).items():
                    if inspect.isfunction(taken) and not name.startswith("_"):
                        wanted = set(inspect.signature(taken).parameters) - {"self"}
                        given = inspect.signature(getattr(known, name)).parameters
                        missing = wanted - set(given)
                        if missing and "kwargs" not in given:
                            print("no", port.__name__, name, missing)
                for name in port.__annotations__:
                    getattr(known, name)
            print("all of it")
            """
        )
    assert printed.splitlines() == ["all of it"]

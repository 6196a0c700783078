"""
How much is logged: levels by namespace.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.peer.pairs import logged
from txremote.levels import Logger, levels, parsed

CALLS = Logger("txremote.test.call")
CLIENTS = Logger("txremote.test.client")


@pytest.fixture(autouse=True)
def _everything_afterwards() -> Iterator[None]:
    yield
    levels.reset()


def passing(logger: Logger) -> list[str]:
    """Return the levels that a logger's events pass with."""
    with logged() as log:
        for level in ("debug", "info", "warn", "error"):
            getattr(logger, level)("as {name}", name=level)
    return [level for level in ("debug", "info", "warn", "error") if f"as {level}" in log.text()]


def test_everything_is_logged_to_begin_with() -> None:
    """A program's own observers choose."""
    assert passing(CALLS) == ["debug", "info", "warn", "error"]
    assert str(levels) == "debug"


def test_a_daemon_begins_with_news_and_may_be_told_more() -> None:
    """A namespace goes before those around it, and the rest stays as it is."""
    levels.begin(False, "warn", "txremote.test=info", "txremote.test.call=debug")
    assert passing(Logger("txremote")) == ["warn", "error"]
    assert passing(CLIENTS) == ["info", "warn", "error"]
    assert passing(CALLS) == ["debug", "info", "warn", "error"]
    levels.change("txremote.test=error")
    assert passing(CLIENTS) == ["error"]
    assert str(levels) == "warn, txremote.test=error, txremote.test.call=debug"
    levels.begin(True)
    assert passing(CLIENTS)[0] == "debug"


@pytest.mark.parametrize("debugging", [False, True])
def test_another_process_takes_the_levels_of_this_one(debugging: bool) -> None:
    """Those from before everything was debugged, too, for when that ends; an unknown namespace."""
    levels.begin(False, "txremote.test.call=error")
    if debugging:
        levels.toggle_debug()
    told, now = levels.told(), str(levels)
    levels.reset()
    levels.take([*told[0], "txremote.not_imported=warn"], told[1])
    if debugging:
        assert str(levels) == now == "debug"
        assert not levels.toggle_debug()
    assert str(levels) == "info, txremote.not_imported=warn, txremote.test.call=error"


def test_debugging_is_turned_on_and_off() -> None:
    """What was set before is back then; setting a level meanwhile stands."""
    levels.begin(False, "txremote.test.call=error")
    assert levels.toggle_debug()
    assert passing(CALLS)[0] == "debug"
    assert not levels.toggle_debug()
    assert passing(CALLS) == ["error"]
    levels.toggle_debug()
    levels.change("warn")
    assert levels.toggle_debug()


@pytest.mark.parametrize(
    "written, why",
    [
        ("loud", r"no level 'loud': it is one of debug, info, warn, error, critical"),
        ("txremote.test=", r"no level ''"),
        ("shop=debug", r"nothing is logged here as 'shop': it is one of txremote, "),
        ("txremote.tes=debug", r"nothing is logged here as 'txremote.tes'"),
    ],
)
def test_a_level_that_makes_no_sense_is_refused(written: str, why: str) -> None:
    """With those that there are; and nothing is changed."""
    with pytest.raises(ValueError, match=why):
        levels.change("critical", written)
    assert str(levels) == "debug"


def test_a_level_is_read_as_it_is_typed() -> None:
    """In capitals, with blanks, for a part that has only parts below it."""
    namespace, level = parsed(" txremote.test = WARN ")
    assert (namespace, level.name) == ("txremote.test", "warn")

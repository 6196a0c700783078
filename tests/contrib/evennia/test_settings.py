"""``TXREMOTE``, read and checked: without Evennia."""

from __future__ import annotations

import pytest

from tests.processes import ROOT
from txremote.contrib.evennia.settings import _READERS, GameSettings, read_settings, with_setup


def test_the_page_has_every_key() -> None:
    """In its table."""
    page = (ROOT / "docs" / "evennia.rst").read_text(encoding="utf-8")
    table = page.partition("The keys of TXREMOTE\n---")[2]
    assert [key for key in _READERS if f'\n``"{key}"``' not in table] == []


@pytest.mark.parametrize("given", [None, {}])
def test_nothing_is_said_and_nothing_runs(given: object) -> None:
    """A game without TXREMOTE has threads only, and nothing listens."""
    settings, problems = read_settings(given)
    assert (settings.pool, settings.listen, settings.console, problems) == (None, (), (), [])


def test_all_of_it_is_read() -> None:
    """One place to listen is a text, and some are a list."""
    settings, problems = read_settings(
        {
            "pool": "processes:2",
            "listen": "tcp:4010:interface=127.0.0.1",
            "service": "world.remote.World",
            "login": False,
            "console": ["unix:c.sock", "tcp:4011:interface=127.0.0.1"],
            "containers": "world.console.Commands",
            "config": {"max_frame": 1000},
        }
    )
    assert problems == []
    assert settings == GameSettings(
        "processes:2",
        ("tcp:4010:interface=127.0.0.1",),
        "world.remote.World",
        False,
        ("unix:c.sock", "tcp:4011:interface=127.0.0.1"),
        ("world.console.Commands",),
        {"max_frame": 1000},
    )


@pytest.mark.parametrize(
    ("given", "sentence", "listens"),
    [
        ([], "TXREMOTE is a dict, such as", False),
        ({"pools": "x"}, "has no key 'pools': there are pool, listen,", True),
        ({"pool": 2}, "TXREMOTE['pool'] is a text: 2", True),
        ({"listen": 4010}, "TXREMOTE['listen'] is a text, or a list of them: 4010", False),
        ({"service": "World"}, "is the dotted name of a class", False),
        ({"login": "no"}, "TXREMOTE['login'] is True or False: 'no'", False),
        ({"config": [1]}, "TXREMOTE['config'] is a dict of switches by name", False),
    ],
)
def test_a_mistake_is_a_sentence_and_costs_its_part(
    given: object, sentence: str, listens: bool
) -> None:
    """Where it is not clear what is offered, or to whom, nothing listens."""
    if isinstance(given, dict):
        given = {"listen": "tcp:4010", **given}
    settings, [problem] = read_settings(given)
    assert sentence in problem
    assert bool(settings.listen) is listens


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("processes:2", "processes:2:init=txremote.contrib.evennia.in_worker.setup:grace=0.3"),
        ("processes", "processes:init=txremote.contrib.evennia.in_worker.setup:grace=0.3"),
        ("processes:2:grace=2:init=world.setup", "processes:2:grace=2:init=world.setup"),
        ("threads:4", "threads:4"),
    ],
)
def test_workers_are_set_up_as_the_game_unless_it_says_otherwise(given: str, used: str) -> None:
    """Other kinds of pools take no init=."""
    assert with_setup(given) == used

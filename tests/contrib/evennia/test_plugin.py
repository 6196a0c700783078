"""The parts that a game's settings name. `test_playing` has them in a real game."""

from __future__ import annotations

import pytest
from twisted.internet import reactor

from tests.peer.pairs import logged
from txremote.contrib.evennia.plugin import GameServices
from txremote.contrib.evennia.settings import GameSettings

HERE = "tcp:0:interface=127.0.0.1"


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (GameSettings(listen=(HERE, "tcp:4010")), "listener is left out: tcp:4010 would have pass"),
        (GameSettings(listen=("0.0.0.0:4010",)), "passwords travel in the clear"),
        (GameSettings(listen=("tcp:401x:interface=0.0.0.0",)), "'401x' is no port"),
        (GameSettings(listen=("nowhere",)), "the listener is left out: "),
        (GameSettings(listen=(HERE,), service="builtins.int"), "int is no service"),
        (GameSettings(listen=(HERE,), service="no.such.World"), "the listener is left out"),
        (GameSettings(listen=(HERE,), config={"max_fram": 1}), "max_fram"),
        (GameSettings(pool="process:2"), "the pool is left out: 'process' in"),
        (GameSettings(console=("tcp:0",), containers=("no.such",)), "the console is left out"),
    ],
)
def test_a_part_that_cannot_be_is_left_out_and_told(settings: GameSettings, sentence: str) -> None:
    """The game starts without it."""
    with logged() as log:
        game = GameServices(settings, reactor)
    assert sentence in log.text()
    assert (game.pool, game.servers, game.console) == (None, [], None)


def test_the_game_s_pool_is_nobody_else_s_default() -> None:
    """A plain run_async goes to a thread, though a pool of processes runs."""
    game = GameServices(GameSettings(pool="processes:1"), reactor)
    assert game.pool is not None
    assert not game.pool.preferred

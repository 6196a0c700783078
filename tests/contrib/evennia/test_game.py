"""
Many players with jobs under way while their game reloads, loses a worker, is killed and stops.

``TXREMOTE_LONG=1`` (``nox -s games``) runs the large numbers, which take minutes.
"""

from __future__ import annotations

import os
import re
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
import pytest_twisted
from twisted.internet.threads import deferToThread

from tests.contrib.evennia.environment import PASSWORD, SUPERUSER
from tests.contrib.evennia.game import PATIENCE, Game, Player, needs_evennia, wait_until_gone
from tests.contrib.evennia.recipes import add_recipes
from tests.processes import free_port
from txremote import RemoteClient

pytestmark = needs_evennia

LONG = pytest.mark.skipif(
    not os.environ.get("TXREMOTE_LONG"), reason="it takes minutes: TXREMOTE_LONG=1"
)


@dataclass
class Played:
    """A game that runs, and where its clients connect."""

    game: Game
    port: int


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """One game for all of these tests, in the order in which they stand."""
    with Game(tmp_path_factory.mktemp("games")) as game:
        port = free_port()
        add_recipes(game, port)
        game.make_accounts(f"player{number}" for number in range(50))
        game.start()
        yield Played(game, port)


class Crowd:
    """Players who begin jobs and count how they end."""

    def __init__(self, game: Game, size: int) -> None:
        self._open = ExitStack()
        self._game = game
        self.players = [self._log_in(number) for number in range(size)]
        self.typed = 0

    def _log_in(self, number: int) -> Player:
        return self._open.enter_context(self._game.player(f"player{number}"))

    def __enter__(self) -> Crowd:
        return self

    def __exit__(self, *_error: object) -> None:
        self._open.close()

    def begin(self, seconds: float, each: int = 2) -> None:
        """Have every player type so many jobs, and wait until all are begun."""
        for player in self.players:
            for _ in range(each):
                self.typed += 1
                kind = ("thread", "process", "await")[self.typed % 3]
                if kind == "await":
                    player.type(f"await {self.typed} {seconds}")
                else:
                    player.type(f"work {self.typed} {seconds} {kind}")
        self.wait(lambda player: player.heard.count("begun "), self.typed)

    def wait(self, count: Callable[[Player], int], wanted: int) -> None:
        """Read what all are told until a count over all of them is reached."""
        end = time.monotonic() + 4 * PATIENCE
        while (found := sum(map(count, self.players))) < wanted:
            assert time.monotonic() < end, f"{found} of {wanted}"
            for player in self.players:
                player.read(0.005)

    def ends(self) -> Counter[str]:
        """Return how each job ended, by the word that its player was told; once each."""
        self.wait(lambda player: player.heard.count("end "), self.typed)
        found: Counter[str] = Counter()
        for player in self.players:
            player.type("say all done")
            player.expect('You say, "all done"')
            begun = Counter(re.findall(r"begun (\d+)\.", player.heard))
            ended = re.findall(r"end (\d+): (\w+)\.", player.heard)
            assert Counter(number for number, _how in ended) == begun, player.heard
            found.update(how for _number, how in ended)
        return found


def reload_in_game(game: Game, crowd: Crowd) -> None:
    """Have the superuser type ``reload``, and wait until everybody is told that it is over."""
    before = [player.heard.count("Server restarted") for player in crowd.players]
    with game.player() as admin:
        admin.type("reload")
        admin.expect("Server restarted", 2 * PATIENCE)
    for player, count in zip(crowd.players, before, strict=True):
        end = time.monotonic() + PATIENCE
        while player.heard.count("Server restarted") == count:
            assert time.monotonic() < end
            player.read(0.1)


@pytest.mark.parametrize(
    ("players", "each"),
    [pytest.param(8, 2, id="8 players"), pytest.param(50, 2, id="50 players", marks=LONG)],
)
def test_every_player_hears_one_end_of_each_job(played: Played, players: int, each: int) -> None:
    """While the game is reloaded twice and a worker is killed."""
    game = played.game
    with Crowd(game, players) as crowd:
        crowd.begin(0.5, each)
        reload_in_game(game, crowd)
        crowd.begin(0.2, each)
        worker = game.children()[0]
        os.kill(worker, signal.SIGKILL)
        wait_until_gone([worker])
        crowd.begin(0.5, each)
        reload_in_game(game, crowd)
        ends = crowd.ends()
    assert sum(ends.values()) == players * each * 3
    assert ends["done"] >= players * each  # those of the middle, but for the killed worker's


@pytest.mark.parametrize("count", [3, pytest.param(100, marks=LONG)])
def test_a_cold_worker_has_objects_right_the_first_time(played: Played, count: int) -> None:
    """Name, attributes, place and class, as the Server has them, in a process that is new."""
    with played.game.player("player0") as player:
        player.type(f"cold {count}")
        player.expect(rf"{count} right of {count} workers\.", 60 + 15 * count)


def test_what_a_job_changed_is_the_server_s_at_once(played: Played) -> None:
    """Attributes and tags, again and again, on the very object that was sent."""
    with played.game.player("player0") as player:
        for text in ("red", "blue"):
            player.type(f"mark {text}")
            player.expect(rf"marked: {text} True True\.")


@pytest_twisted.ensureDeferred
async def test_a_client_waits_out_a_reload(played: Played) -> None:
    """It has logged in by an account, and goes on with the next Server."""
    there = f"tcp:127.0.0.1:{played.port}"
    client = RemoteClient(there, login=(SUPERUSER, PASSWORD), wait_timeout=2 * PATIENCE)
    client.startService()
    try:
        assert [each.name for each in await client.root.who()] == []
        await deferToThread(played.game.reload)
        assert [each.name for each in await client.root.who()] == []
    finally:
        await client.stopService()


def test_killed_it_leaves_no_worker_and_starts_again(played: Played) -> None:
    """``kill -9`` while jobs run in processes; then ``evennia start``."""
    game = played.game
    server, workers = game.pid("server"), game.children()
    assert server and len(workers) == 2
    with game.player("player1") as player:
        for number in range(2):
            player.type(f"work {number} 600 process")
            player.expect(rf"begun {number}\.")
        os.kill(server, signal.SIGKILL)
        wait_until_gone([server, *workers])
    game.start()
    with game.player("player1") as player:
        player.type("await 3 0")
        player.expect(r"end 3: done\.")


def test_stopped_it_leaves_nothing(played: Played) -> None:
    """Jobs that would run for minutes end with the game, and so do their processes."""
    game = played.game
    workers = game.children()
    with game.player("player1") as player:
        player.type("await 4 600")
        player.expect(r"begun 4\.")
        game.stop()
        player.expect(r"end 4: (?!done)\w+\.")
    wait_until_gone(workers)
    assert game.pid("server") is game.pid("portal") is None

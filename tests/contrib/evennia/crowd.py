"""Many players of one game, who begin jobs and count how these end."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack

from tests.contrib.evennia.game import PATIENCE, Game, Player


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

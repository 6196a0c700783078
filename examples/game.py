"""
A game server whose commands may count for a minute: the world goes on meanwhile.

Serve it, from the folder above this one, with two processes for the long work::

    twistd -n txremote --pool processes:2 --service examples.game.Game

and play from some windows; end with Ctrl-D::

    python examples/game.py tcp:127.0.0.1:18861 ann

``count 60`` counts for a minute in another process and shows its progress,
``stop`` ends that, and ``look`` is answered at once all the while. The command
is written as Evennia's documentation has it, with ``at_return`` and ``at_err``.
What one player is told comes by a function of that player's client; what all are
told, as ``say hello`` is, by a topic.
"""

import sys
import time

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.stdio import StandardIO
from twisted.internet.task import react
from twisted.protocols.basic import LineOnlyReceiver

from txremote import Service, Topic, connect, exposed, live, run_async


def count(seconds, progress):
    """
    Count as far as one gets: work for a process of its own.

    ``progress`` lives in the game: calling it waits for the game's answer.
    """
    number = 0
    started = told = time.monotonic()
    while (now := time.monotonic()) - started < seconds:
        number += 1
        if now - told >= seconds / 10:
            told = now
            progress(round(100 * (now - started) / seconds))
    return number


class Character:
    """A player in the game."""

    def __init__(self, name, tell):
        self.name = name
        self.tell = tell
        self.counting = None

    def msg(self, text):
        """Send the player a text. A client that is gone is ignored."""
        maybeDeferred(self.tell, text).addErrback(lambda _failure: None)


class CmdCount:
    """``count SECONDS``: count in the background."""

    key = "count"

    def func(self, caller, seconds="60"):
        """Start to count."""

        def progress(percent):
            caller.msg(f"counted {percent}%")

        def at_return(number):
            caller.msg(f"counted to {number}")

        def at_err(failure):
            caller.msg(f"counting ended: {failure.type.__name__}")

        # do the async call, setting all callbacks
        caller.counting = run_async(
            count, float(seconds), live(progress), at_return=at_return, at_err=at_err
        )
        caller.msg("you begin to count")


class CmdStop:
    """``stop``: stop counting."""

    key = "stop"

    def func(self, caller):
        """Cancel what runs."""
        if caller.counting is not None:
            caller.counting.cancel()


class CmdLook:
    """``look``: list the players."""

    key = "look"

    def func(self, caller):
        """Tell it."""
        caller.msg("here: " + ", ".join(sorted(Game.characters)))


class CmdSay:
    """``say TEXT``: tell all players."""

    key = "say"

    def func(self, caller, *words):
        """Tell them."""
        Game.exposed_news.publish(f"{caller.name} says: {' '.join(words)}")


class Game(Service):
    """One player's seat."""

    exposed_news = Topic("news")
    characters = {}
    commands = {command.key: command for command in (CmdCount, CmdStop, CmdLook, CmdSay)}

    def __init__(self):
        self._character = None

    @exposed
    def join(self, name, tell):
        """Enter the game; ``tell`` is called with each text."""
        if self._character is not None or name in self.characters:
            raise ValueError(f"the name {name} is taken")
        self._character = self.characters[name] = Character(name, tell)
        self.exposed_news.publish(f"{name} comes in")

    @exposed
    def command(self, line):
        """Do what a line says."""
        if self._character is None:
            raise ValueError("join first")
        key, *words = line.split()
        if key not in self.commands:
            self._character.msg(f"no command {key}: there are {', '.join(self.commands)}")
        else:
            self.commands[key]().func(self._character, *words)

    def on_disconnect(self, conn):
        """Leave the game; nobody waits for what was being counted."""
        if self._character is not None:
            del self.characters[self._character.name]
            CmdStop().func(self._character)
            self.exposed_news.publish(f"{self._character.name} has left")


class Keyboard(LineOnlyReceiver):
    """Sends each line that is typed as a command."""

    delimiter = b"\n"

    def __init__(self, conn):
        self._conn = conn
        self.ended = Deferred()

    def lineReceived(self, line):
        """Send it."""
        text = line.decode(errors="replace").strip()
        if text:
            doing = self._conn.root.command(text)
            doing.addErrback(lambda failure: print("!", failure.value, flush=True))

    def connectionLost(self, reason):
        """The keyboard is closed."""
        self.end()

    def end(self):
        """End the game, if it has not ended."""
        if not self.ended.called:
            self.ended.callback(None)


async def main(reactor, endpoint, name):
    """The client."""

    def tell(text):
        print(text, flush=True)

    conn = await connect(endpoint, reactor=reactor)
    await conn.root.news.subscribe(tell)
    try:
        await conn.root.join(name, tell)
    except ValueError as error:
        raise SystemExit(error.args[0]) from None
    keyboard = Keyboard(conn)
    StandardIO(keyboard)
    conn.when_disconnected().addCallback(lambda _how: keyboard.end())
    await keyboard.ended
    await conn.close()


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit("usage: python examples/game.py ENDPOINT NAME")
    react(main, sys.argv[1:])

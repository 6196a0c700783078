"""
A chat of many clients: what one says, all hear.

Serve it, from the folder above this one::

    twistd -n txremote --service examples.chat.Chat

and join it from some windows; end with Ctrl-D::

    python examples/chat.py tcp:127.0.0.1:18861 ann

``chat_room.py`` does so with several processes, on several machines.
"""

import sys

from twisted.internet.defer import Deferred
from twisted.internet.stdio import StandardIO
from twisted.internet.task import react
from twisted.protocols.basic import LineOnlyReceiver

from txremote import Service, Topic, connect, exposed


class Chat(Service):
    """One client's seat. Each connection has its own; the members and the topic are shared."""

    exposed_lines = Topic("chat")
    members = set()

    def __init__(self):
        self._name = None

    @exposed
    def join(self, name):
        """Take a name. Return the names of all members."""
        if self._name is not None:
            raise ValueError(f"you are {self._name} already")
        if name in self.members:
            raise ValueError(f"the name {name} is taken")
        self._name = name
        self.members.add(name)
        self.exposed_lines.publish(f"* {name} joins")
        return self.names()

    @exposed
    def names(self):
        """Return the names of all members."""
        return tuple(sorted(self.members))

    @exposed
    def say(self, text):
        """Say something to all."""
        if self._name is None:
            raise ValueError("join first")
        self.exposed_lines.publish(f"<{self._name}> {text}")

    @exposed
    def leave(self):
        """Leave the room; the name is free again."""
        if self._name is not None:
            name, self._name = self._name, None
            self.members.discard(name)
            self.exposed_lines.publish(f"* {name} leaves")

    def on_disconnect(self, conn):
        """A connection that ends, in whatever way, leaves the room."""
        self.leave()


class Keyboard(LineOnlyReceiver):
    """Says each line that is typed."""

    delimiter = b"\n"

    def __init__(self, conn):
        self._conn = conn
        self.ended = Deferred()

    def lineReceived(self, line):
        """Say it."""
        saying = self._conn.root.say(line.decode(errors="replace"))
        saying.addErrback(lambda failure: print("! not sent:", failure.value))

    def connectionLost(self, reason):
        """The keyboard is closed."""
        self.end()

    def end(self):
        """End the chat, if it has not ended."""
        if not self.ended.called:
            self.ended.callback(None)


async def main(reactor, endpoint, name):
    """The client."""
    conn = await connect(endpoint, reactor=reactor)
    await conn.root.lines.subscribe(lambda text: print(text, flush=True))
    try:
        names = await conn.root.join(name)
    except ValueError as error:
        raise SystemExit(error.args[0]) from None
    print("* here:", ", ".join(names), flush=True)
    keyboard = Keyboard(conn)
    StandardIO(keyboard)
    conn.when_disconnected().addCallback(lambda _how: keyboard.end())
    await keyboard.ended
    if not conn.closed:
        await conn.root.leave()
    await conn.close()


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit("usage: python examples/chat.py ENDPOINT NAME")
    react(main, sys.argv[1:])

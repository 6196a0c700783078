"""
A chat of many clients: what one says, the server passes on to all the others.

Serve it, from the folder above this one::

    twistd -n txremote --service examples.chat.Chat

and join it from some windows; end with Ctrl-D::

    python examples/chat.py tcp:127.0.0.1:18861 ann
"""

import sys

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.stdio import StandardIO
from twisted.internet.task import react
from twisted.protocols.basic import LineOnlyReceiver

from txremote import Service, connect, exposed


class Room:
    """The members: each name with the function that takes its messages."""

    def __init__(self):
        self.members = {}

    def tell(self, text, but=None):
        """Pass a message on to all, or to all but one."""
        for name, on_message in list(self.members.items()):
            if name != but:
                # a client that has just gone fails here, and on_disconnect
                # of its own connection sees to the rest
                maybeDeferred(on_message, text).addErrback(lambda _failure: None)


class Chat(Service):
    """One client's seat. Each connection has its own; the room is shared."""

    room = Room()

    def __init__(self):
        self._name = None

    @exposed
    def join(self, name, on_message):
        """Take a name, and a function for the messages. Return the names of all members."""
        if self._name is not None:
            raise ValueError(f"you are {self._name} already")
        if name in self.room.members:
            raise ValueError(f"the name {name} is taken")
        self.room.tell(f"* {name} joins")
        self._name = name
        self.room.members[name] = on_message
        return self.names()

    @exposed
    def names(self):
        """Return the names of all members."""
        return tuple(sorted(self.room.members))

    @exposed
    def say(self, text):
        """Say something to all the others."""
        if self._name is None:
            raise ValueError("join first")
        self.room.tell(f"<{self._name}> {text}", but=self._name)

    @exposed
    def leave(self):
        """Leave the room; the name is free again."""
        if self._name is not None:
            name, self._name = self._name, None
            del self.room.members[name]
            self.room.tell(f"* {name} leaves")

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
    try:
        names = await conn.root.join(name, lambda text: print(text, flush=True))
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

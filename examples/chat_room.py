"""
Chat rooms of many processes: people in one room hear each other, whichever worker serves them.

On a laptop, from the folder above this one; the four workers need nothing else::

    twistd -n txremote --workers 4 --service examples.chat_room.ChatRoom

Enter a room from some windows, and end with Ctrl-D::

    python examples/chat_room.py tcp:127.0.0.1:18861 kitchen ann
    python examples/chat_room.py tcp:127.0.0.1:18861 kitchen bob

On several machines, in a network that you trust, a Redis joins them. On each of them::

    export TXREMOTE_REGISTRY=redis://10.0.0.1
    CHAT_REDIS=redis://10.0.0.1 twistd -n txremote --workers 4 \
        --service examples.chat_room.ChatRoom --listen tcp:18861 --register chat

and the clients enter by ``registry:chat``. One whose server is lost goes on at another.

The memory of a service belongs to one worker. So nothing is kept here but a seat for each
connection, and all else is events. ``chat.py`` keeps a list of members, and needs one process.
"""

import os
import sys

from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.internet.stdio import StandardIO
from twisted.internet.task import deferLater, react
from twisted.protocols.basic import LineOnlyReceiver

from txremote import ConnectionLost, RemoteClient, ServerStopping, Service, Topic, exposed

#: Joins the topics of several machines; without one the workers of this machine are joined.
REDIS = os.environ.get("CHAT_REDIS")


class ChatRoom(Service, values=True):
    """One client's seat. Each connection has its own; the topic is shared by all."""

    #: What happens, each event with its room for a key.
    exposed_lines = Topic("chat lines", redis=REDIS, bus=None if REDIS else "host")

    def __init__(self):
        self._seat = None

    @exposed
    def enter(self, room: str, name: str) -> None:
        """Take a seat in a room."""
        if self._seat is not None:
            raise ValueError(f"you are in the {self._seat[0]} already")
        self._seat = room, name
        self._tell("enters")

    @exposed
    def say(self, text: str) -> None:
        """Say something to all in the room."""
        if self._seat is None:
            raise ValueError("enter first")
        self._tell("says", text)

    def on_disconnect(self, conn):
        """A connection that ends, in whatever way, leaves its room."""
        if self._seat is not None:
            self._tell("leaves")

    def _tell(self, what, text=""):
        room, name = self._seat
        self.exposed_lines.publish((name, what, text), key=room)


def show(name, what, text):
    """Print an event."""
    print(f"<{name}> {text}" if what == "says" else f"* {name} {what}", flush=True)


#: A client that only listens asks after 2 seconds of silence whether its server is still there.
LISTENING = {"keepalive": 2, "keepalive_timeout": 3}


async def hear(reactor, client, room):
    """Print what happens in a room, without end; when the server is lost, at another."""
    while True:
        try:
            events = await client.root.lines.subscribe(keys=room)
            print(f"* in the {room}", flush=True)
            async for event in events:
                show(*event)
        except (ConnectionLost, ServerStopping):
            print("! lost; going on at another", flush=True)
        await deferLater(reactor, 0.1)


class Keyboard(LineOnlyReceiver):
    """Says each line that is typed."""

    delimiter = b"\n"

    def __init__(self, client):
        self._client = client
        self.ended = Deferred()

    def lineReceived(self, line):
        """Say it. A line that was under way when a server died is not said again."""
        saying = self._client.root.say(line.decode(errors="replace"))
        saying.addErrback(lambda failure: print("! not said:", failure.value, flush=True))

    def connectionLost(self, reason):
        """The keyboard is closed."""
        self.ended.callback(None)


async def main(reactor, endpoint, room, name):
    """The client."""
    client = RemoteClient(
        endpoint,
        pick="sticky",  # the seat is at one server
        on_connect=lambda connection: connection.root.enter(room, name),
        config=LISTENING,
        reactor=reactor,
    )
    client.startService()
    hearing = ensureDeferred(hear(reactor, client, room))
    keyboard = Keyboard(client)
    StandardIO(keyboard)
    await keyboard.ended
    hearing.cancel()
    hearing.addErrback(lambda cancelled: cancelled.trap(CancelledError))
    await client.stopService()


if __name__ == "__main__":
    if len(sys.argv) != 4:
        raise SystemExit("usage: python examples/chat_room.py ENDPOINT ROOM NAME")
    react(main, sys.argv[1:])

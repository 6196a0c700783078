#!/bin/sh
# Twisted: bytes that are written when a program is stopped, in a "before shutdown" trigger or a
# `stopService`, never leave it, though the transport is told to close after them: connections
# are cut off before the reactor writes. So twisted.web cuts a response off that is finished there.
# A trigger that gives a Deferred, fired a turn later, is enough.
# Seen with Twisted 26.10.0: at once: b'', a turn later: b'bye'
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check twisted==26.10.0
cat >"$folder/seen.py" <<'END'
import socket
import sys

from twisted.internet import reactor
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater


class Server(Protocol):
    def connectionMade(self):
        reactor.addSystemEventTrigger("before", "shutdown", self.stop)
        reactor.callLater(0, reactor.stop)

    def stop(self):
        self.transport.write(b"bye")
        self.transport.loseConnection()
        return deferLater(reactor, 0.1) if sys.argv[1] == "later" else None


port = reactor.listenTCP(0, Factory.forProtocol(Server), interface="127.0.0.1")
with socket.create_connection(("127.0.0.1", port.getHost().port)) as client:
    reactor.run()
    print(client.recv(100))
END
seen="at once: $("$folder/venv/bin/python" "$folder/seen.py" now), a turn later: $("$folder/venv/bin/python" "$folder/seen.py" later)"
echo "$seen"
test "$seen" = "at once: b'', a turn later: b'bye'"

#!/bin/sh
# Twisted: in `connectionLost` and later the transport of a TCP connection still gives its peer's address,
# and raises AttributeError for its own: `getHost()` asks the socket, which is gone. So a protocol that
# tells which connection it has lost fails there, at both ends.
# Seen with Twisted 26.10.0, CPython 3.11: IPv4Address of the peer, AttributeError of the host
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check twisted==26.10.0
cat >"$folder/seen.py" <<'END'
from twisted.internet import reactor
from twisted.internet.protocol import ClientFactory, Factory, Protocol

seen = {}


class Told(Protocol):
    def connectionMade(self):
        self.transport.getHost()
        if self.factory is accepting:
            self.transport.loseConnection()

    def connectionLost(self, reason):
        side = "server" if self.factory is accepting else "client"
        seen[side] = [side]
        for name in ("getPeer", "getHost"):
            try:
                seen[side].append(type(getattr(self.transport, name)()).__name__)
            except AttributeError as error:
                seen[side].append(type(error).__name__)
        if len(seen) == 2:
            reactor.stop()


accepting = Factory.forProtocol(Told)
port = reactor.listenTCP(0, accepting, interface="127.0.0.1")
reactor.connectTCP("127.0.0.1", port.getHost().port, ClientFactory.forProtocol(Told))
reactor.run()
print(*seen["client"], *seen["server"])
END
seen=$("$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
test "$seen" = "client IPv4Address AttributeError server IPv4Address AttributeError"

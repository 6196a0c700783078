#!/bin/sh
# Twisted: a connected UDP port whose peer does not listen is closed at the first refusal, and its
# protocol's `connectionRefused`, which is there to tell of that, is not called on the epoll reactor.
# `stopProtocol` alone is. With the select reactor `connectionRefused` is called, and the port goes on.
# Seen with Twisted 26.10.0, CPython 3.11 on Linux
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check Twisted==26.10.0
cat >"$folder/seen.py" <<'END'
import socket
import sys

if sys.argv[1] == "epoll":
    from twisted.internet import epollreactor as kind
else:
    from twisted.internet import selectreactor as kind
kind.install()
from twisted.internet import reactor
from twisted.internet.protocol import DatagramProtocol

unused = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
unused.bind(("127.0.0.1", 0))
port = unused.getsockname()[1]
unused.close()
heard = []


class Asking(DatagramProtocol):
    noisy = False

    def startProtocol(self):
        self.transport.connect("127.0.0.1", port)
        self.transport.write(b"x")

    def connectionRefused(self):
        heard.append("refused")

    def stopProtocol(self):
        heard.append("stopped")


reactor.listenUDP(0, Asking(), interface="127.0.0.1")
reactor.callLater(1, lambda: (print(sys.argv[1], *heard), reactor.stop()))
reactor.run()
END
seen=$(for kind in epoll select; do "$folder/venv/bin/python" "$folder/seen.py" "$kind"; done)
echo "$seen"
test "$seen" = "epoll stopped
select refused"

#!/bin/sh
# Twisted 26.10.0: a StreamServerEndpointService that was stopped and is started again says that it
# is running, and does not listen: it takes the listening of its first start for that of the second.
# No error and no line in the log say so. `TCPServer` listens again.
# Seen with CPython 3.11: TCPServer listens twice, StreamServerEndpointService once
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check Twisted==26.10.0
cat >"$folder/seen.py" <<'END'
import socket

from twisted.application.internet import StreamServerEndpointService, TCPServer
from twisted.internet import endpoints, reactor, task
from twisted.internet.protocol import Factory, Protocol

with socket.create_server(("127.0.0.1", 0)) as free:
    number = free.getsockname()[1]
factory = Factory.forProtocol(Protocol)
endpoint = endpoints.TCP4ServerEndpoint(reactor, number, interface="127.0.0.1")


def listens():
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", number)) == 0


async def main(reactor):
    for service in (
        TCPServer(number, factory, interface="127.0.0.1"),
        StreamServerEndpointService(endpoint, factory),
    ):
        told = []
        for _ in range(2):
            service.startService()
            told.append(f"running {bool(service.running)} listens {listens()}")
            await service.stopService()
        print(f"{type(service).__name__}: {', then '.join(told)}")


task.react(main)
END
seen=$("$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
test "$seen" = "TCPServer: running True listens True, then running True listens True
StreamServerEndpointService: running True listens True, then running True listens False"

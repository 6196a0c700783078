#!/bin/sh
# Twisted 26.10.0: a StreamServerEndpointService whose port is taken starts, says that it is
# running, and logs the error; so the program goes on without a server. `TCPServer` raises it. So
# does what `strports.service` gives, which is of the same class, at its first start: at its second
# it is as silent.
# Seen with CPython 3.11: TCPServer raises, the endpoint's runs, that of strports raises and then runs
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check Twisted==26.10.0
cat >"$folder/seen.py" <<'END'
import socket

from twisted.application import internet, strports
from twisted.internet import endpoints, reactor
from twisted.internet.protocol import Factory, Protocol

factory = Factory.forProtocol(Protocol)
taken = socket.create_server(("127.0.0.1", 0))
number = taken.getsockname()[1]
place = f"tcp:{number}:interface=127.0.0.1"
endpoint = endpoints.serverFromString(reactor, place)
by_strports = strports.service(place, factory)
services = {
    "TCPServer": internet.TCPServer(number, factory, interface="127.0.0.1"),
    "an endpoint's": internet.StreamServerEndpointService(endpoint, factory),
    "strports'": by_strports,
    "strports' again": by_strports,
}
for name, service in services.items():
    try:
        service.startService()
    except Exception as error:
        print(f"{name} {type(service).__name__}: {type(error).__name__}")
    else:
        print(f"{name} {type(service).__name__}: running {bool(service.running)}")
END
seen=$("$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
test "$seen" = "TCPServer TCPServer: CannotListenError
an endpoint's StreamServerEndpointService: running True
strports' StreamServerEndpointService: CannotListenError
strports' again StreamServerEndpointService: running True"

#!/bin/sh
# Twisted: a UNIX socket that several ports have adopted (`reactor.adoptStreamPort`), as the workers of one
# server do, is lost to all of them when one stops: that removes its file. Clients that come later find
# nothing, though the other port still listens. A port of an adopted TCP socket leaves it to the others.
# Seen with Twisted 26.10.0, CPython 3.11 on Linux: unix no such file; tcp taken
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check Twisted==26.10.0
cat >"$folder/seen.py" <<'END'
import os
import socket
import tempfile

from twisted.internet import defer, reactor, task
from twisted.internet.protocol import Factory, Protocol


async def after_one_has_stopped(family, address):
    made = socket.socket(family)
    made.bind(address)
    made.listen()
    made.setblocking(False)
    first, _second = (
        reactor.adoptStreamPort(made.fileno(), family, Factory.forProtocol(Protocol))
        for _ in range(2)
    )
    where = made.getsockname()
    await defer.maybeDeferred(first.stopListening)
    with socket.socket(family) as client:
        try:
            client.connect(where)
        except FileNotFoundError:
            return "no such file"
    return "taken"


async def main(_reactor):
    with tempfile.TemporaryDirectory() as folder:
        print("unix", await after_one_has_stopped(socket.AF_UNIX, os.path.join(folder, "s")))
    print("tcp", await after_one_has_stopped(socket.AF_INET, ("127.0.0.1", 0)))


task.react(lambda reactor: defer.Deferred.fromCoroutine(main(reactor)))
END
seen=$("$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
test "$seen" = "unix no such file
tcp taken"

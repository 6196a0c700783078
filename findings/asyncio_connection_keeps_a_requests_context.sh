#!/bin/sh
# asyncio and uvloop: all that a connection's protocol is told, as long as it lives, is told in the
# context of the task that opened it. So where the first request of a web program opens a connection
# that later ones share, its context variables (the user, the trace) are seen in all their answers.
# So it is with `loop.add_reader`.
# Seen with CPython 3.11, uvloop 0.23.0: first first, with both loops
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check uvloop==0.23.0
cat >"$folder/seen.py" <<'END'
import asyncio
import socket
from contextvars import ContextVar

import uvloop

request = ContextVar("request")
seen = []


class Client(asyncio.Protocol):
    def data_received(self, data):
        seen.append(request.get())


async def handle(name, action, *args):
    request.set(name)
    await action(*args)


async def open_connections(connected, other):
    loop = asyncio.get_running_loop()
    await loop.create_connection(Client, sock=connected)
    loop.add_reader(other, lambda: other.recv(1) and seen.append(request.get()))


async def ask(*peers):
    for peer in peers:
        peer.send(b"x")
        await asyncio.sleep(0.1)


async def main():
    ours, theirs = zip(socket.socketpair(), socket.socketpair())
    await asyncio.create_task(handle("first", open_connections, *ours))
    await asyncio.create_task(handle("second", ask, *theirs))
    asyncio.get_running_loop().remove_reader(ours[1])


for run in asyncio.run, uvloop.run:
    run(main())
    print(run.__module__.partition(".")[0], *seen)
    seen.clear()
END
seen=$("$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
test "$seen" = "asyncio first first
uvloop first first"

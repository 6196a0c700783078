#!/bin/sh
# asyncio: a transport of uvloop's, and of asyncio's own since CPython 3.12, keeps what its socket does not
# take at once without a copy. So a bytearray that its program uses again after `write()` leaves
# with what was put in since; up to 3.11 asyncio copied the rest. None of them says that it is held: a
# small one goes at once, and shows nothing, until the peer is slow.
# Seen with uvloop 0.23.0, CPython 3.11 (and 3.12, 3.13): the last byte of 4 MB, written as "a"
# and overwritten by "z", comes as "z" from uvloop; from asyncio as "a" with 3.11, "z" since
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check uvloop==0.23.0
cat >"$folder/seen.py" <<'END'
import asyncio
import socket
import sys

import uvloop

SIZES = 5, 4_000_000


async def last_byte(size):
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    loop = asyncio.get_running_loop()
    transport, _protocol = await loop.create_connection(asyncio.Protocol, sock=ours)
    written = bytearray(b"a" * size)
    transport.write(written)
    await asyncio.sleep(0.1)
    written[-1:] = b"z"
    received = b""
    while len(received) < size:
        received += await loop.sock_recv(theirs, 1 << 20)
    transport.close()
    theirs.close()
    return received[-1:].decode()


async def main():
    return [await last_byte(size) for size in SIZES]


print("since 3.12" if sys.version_info >= (3, 12) else "up to 3.11")
print("asyncio", *asyncio.run(main()), "uvloop", *uvloop.run(main()))
END
seen=$("$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
case $seen in
"up to 3.11"*) test "$seen" = "up to 3.11
asyncio a a uvloop a z" ;;
*) test "$seen" = "since 3.12
asyncio a z uvloop a z" ;;
esac

#!/bin/sh
# asyncio: `loop.start_tls` of a connection that the program aborts meanwhile raises nothing, and
# returns None. (uvloop returns a transport that is closing.) When the peer closes it, both raise.
# Seen with CPython 3.11, uvloop 0.23.0: asyncio None, uvloop closing; OSError from both
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check uvloop==0.23.0
cat >"$folder/seen.py" <<'END'
import asyncio
import socket
import ssl

import uvloop


async def secured(end):
    loop = asyncio.get_running_loop()
    context = ssl.create_default_context()
    ours, theirs = socket.socketpair()
    plain, protocol = await loop.create_connection(asyncio.Protocol, sock=ours)
    loop.call_later(0.2, plain.abort if end == "abort" else theirs.close)
    try:
        made = await loop.start_tls(plain, protocol, context, server_hostname="localhost")
    except OSError:  # which one is up to whether the greeting had left
        return "OSError"
    finally:
        theirs.close()
    return made and ("closing" if made.is_closing() else "open")


async def main():
    return await secured("abort"), await secured("peer closes")


print("asyncio", *asyncio.run(main()))
print("uvloop", *uvloop.run(main()))
END
seen=$("$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
test "$seen" = "asyncio None OSError
uvloop closing OSError"

#!/bin/sh
# Starlette, uvicorn: an endless StreamingResponse goes on for ever after its browser has left. Where
# a server says that it speaks ASGI 2.4 for HTTP, Starlette does not ask whether the browser is there
# and relies on an error of `send`, which that server need not raise: uvicorn up to 0.32 raised none.
# (uvicorn 0.34 says 2.3 again.) So a program's own generator has to end it: by `request.receive()`.
# Seen with Starlette 1.10.0, uvicorn 0.32.0: 5 seconds after the browser left it still gives items
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check starlette==1.10.0 uvicorn==0.32.0
cat >"$folder/seen.py" <<'END'
import asyncio
import socket

import uvicorn
from starlette.applications import Starlette
from starlette.responses import StreamingResponse
from starlette.routing import Route

given = []


async def items():
    while True:
        given.append(None)
        yield "item\n"
        await asyncio.sleep(0.01)


app = Starlette(routes=[Route("/", lambda request: StreamingResponse(items()))])


async def main():
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical"))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    reader, writer = await asyncio.open_connection(*listener.getsockname())
    writer.write(b"GET / HTTP/1.1\r\nHost: there\r\n\r\n")
    await reader.readuntil(b"item\n")
    writer.close()
    await asyncio.sleep(5)
    before = len(given)
    await asyncio.sleep(1)
    still = "still gives items" if len(given) > before else "has ended"
    print(f"5 seconds after the browser left it {still}")
    server.should_exit = server.force_exit = True
    await serving


asyncio.run(main())
END
seen=$("$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
test "$seen" = "5 seconds after the browser left it still gives items"

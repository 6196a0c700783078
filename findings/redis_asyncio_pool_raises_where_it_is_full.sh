#!/bin/sh
# redis-py, asyncio: `ConnectionPool(max_connections=7)` does not let the eighth command at once wait
# for a connection: it raises MaxConnectionsError. `BlockingConnectionPool` is the one that waits, and
# `redis.asyncio.Redis(max_connections=7)` makes the one that raises.
# Seen with redis 8.1.0, CPython 3.11, Redis 7.0: of 20 commands at once 13 raise; with the other none
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"; test -z "${server:-}" || kill "$server"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check redis==8.1.0
redis-server --port 0 --unixsocket "$folder/redis.sock" --save "" --dir "$folder" >"$folder/log" &
server=$!
while ! test -S "$folder/redis.sock"; do sleep 0.1; done
cat >"$folder/seen.py" <<'END'
import asyncio
import sys

from redis import asyncio as redis

PATH = {"connection_class": redis.UnixDomainSocketConnection, "path": sys.argv[1]}


async def main():
    for kind in (redis.ConnectionPool, redis.BlockingConnectionPool):
        client = redis.Redis(connection_pool=kind(max_connections=7, **PATH))
        asked = [client.blpop(["nothing"], timeout=0.3) for _ in range(20)]
        results = await asyncio.gather(*asked, return_exceptions=True)
        errors = [each for each in results if isinstance(each, Exception)]
        print(kind.__name__, len(errors), *{type(each).__name__ for each in errors})
        await client.aclose()


asyncio.run(main())
END
seen=$("$folder/venv/bin/python" "$folder/seen.py" "$folder/redis.sock")
echo "$seen"
test "$seen" = "ConnectionPool 13 MaxConnectionsError
BlockingConnectionPool 0"

#!/bin/sh
# redis-py: `redis.Redis()` with its defaults answers a server that closes each connection, as one that
# starts or is overloaded does, by connecting 11 times, with pauses that grow, before the call fails:
# a call takes 3 seconds where its user expects an error at once. `retry=Retry(NoBackoff(), 0)` is once.
# Seen with redis 8.1.0, CPython 3.11: by default 11 connections, with retries=0 1
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check redis==8.1.0
cat >"$folder/seen.py" <<'END'
import socket
import threading

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

listener = socket.create_server(("127.0.0.1", 0))
port = listener.getsockname()[1]
accepted = []


def serve():
    while True:
        connection, _address = listener.accept()
        accepted.append(connection)
        connection.close()


threading.Thread(target=serve, daemon=True).start()
for words, options in (("by default", {}), ("retries=0", {"retry": Retry(NoBackoff(), 0)})):
    accepted.clear()
    try:
        redis.Redis(port=port, **options).ping()
    except redis.ConnectionError:
        print(words, len(accepted))
END
seen=$("$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
test "$seen" = "by default 11
retries=0 1"

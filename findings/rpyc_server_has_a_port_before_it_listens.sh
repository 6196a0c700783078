#!/bin/sh
# RPyC: a `ThreadedServer(port=0)` has its port as soon as it is made, and listens only in `start()`. So a
# client that is told the port and dials at once is refused, though `server.port` is right.
# Seen with rpyc 6.0.2, CPython 3.11 on Linux: a port True, refused
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check rpyc==6.0.2
cat >"$folder/seen.py" <<'END'
import rpyc
from rpyc.utils.server import ThreadedServer

server = ThreadedServer(rpyc.VoidService, hostname="127.0.0.1", port=0)
print("a port", server.port > 0)
try:
    rpyc.connect("127.0.0.1", server.port)
except ConnectionRefusedError:
    print("refused")
END
seen=$("$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
test "$seen" = "a port True
refused"

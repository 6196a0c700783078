#!/bin/sh
# RPyC: a remote container equals another remote one, and never a local one with the same content,
# whichever stands first; a remote set has no union with a local one, while `set.update` takes it.
# Seen with rpyc 6.0.2: True, False, False, TypeError, {1, 2}
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check rpyc==6.0.2
cat >"$folder/seen.py" <<'END'
import threading

import rpyc
from rpyc.utils.server import ThreadedServer

server = ThreadedServer(rpyc.ClassicService, hostname="127.0.0.1", port=0)
threading.Thread(target=server.start, daemon=True).start()
while not server.active:
    pass
conn = rpyc.classic.connect("127.0.0.1", server.port)
print(conn.eval("[1, 2]") == conn.eval("[1, 2]"))
print(conn.eval("[1, 2]") == [1, 2])
print([1, 2] == conn.eval("[1, 2]"))
try:
    {1} | conn.eval("{2}")
except TypeError as error:
    print(type(error).__name__)
local = {1}
local.update(conn.eval("{2}"))
print(local)
conn.close()
END
seen=$("$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
test "$seen" = "True
False
False
TypeError
{1, 2}"

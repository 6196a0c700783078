#!/bin/sh
# Twisted 26.10.0: `reactor.adoptStreamPort` of a UNIX socket changes the mode of its file to 0666,
# whatever its maker (systemd with SocketMode=0600, a program with a umask) gave it.
# Seen with CPython 3.11 on Linux: 0o600, then 0o666
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check Twisted==26.10.0
cat >"$folder/seen.py" <<'END'
import os
import socket
import stat
import tempfile

from twisted.internet import reactor
from twisted.internet.protocol import Factory

with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "socket")
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    os.chmod(path, 0o600)
    listening.listen()
    listening.setblocking(False)
    before = stat.S_IMODE(os.stat(path).st_mode)
    port = reactor.adoptStreamPort(listening.fileno(), socket.AF_UNIX, Factory())
    print(f"{oct(before)}, then {oct(stat.S_IMODE(os.stat(path).st_mode))}")
END
seen=$("$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
test "$seen" = "0o600, then 0o666"

#!/bin/sh
# Twisted 26.10.0: a UNIX endpoint with wantPID=True whose path is taken (by a plain file here)
# fails, as it should, and leaves its lock file behind.
# Seen with CPython 3.11 on Linux: CannotListenError, left plain plain.lock
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check Twisted==26.10.0
cat >"$folder/seen.py" <<'END'
import os
import tempfile

from twisted.internet import reactor
from twisted.internet.endpoints import UNIXServerEndpoint
from twisted.internet.protocol import Factory

with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "plain")
    open(path, "w").close()
    said = []
    UNIXServerEndpoint(reactor, path, wantPID=True).listen(Factory()).addErrback(
        lambda failure: said.append(failure.type.__name__)
    )
    print(f"{said[0]}, left", *sorted(os.listdir(folder)))
END
seen=$("$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
test "$seen" = "CannotListenError, left plain plain.lock"

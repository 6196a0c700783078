#!/bin/sh
# Twisted: a FilesystemLock that a killed predecessor has left behind is not taken over when that
# had the same process id as the program that asks: it is taken for a lock that is held. In a
# container each start of a program has the same id, 1 as a rule.
# Seen with Twisted 26.4.0: locked: False
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check Twisted==26.4.0
cat >"$folder/seen.py" <<'END'
import os
import tempfile

from twisted.python.lockfile import FilesystemLock

name = os.path.join(tempfile.mkdtemp(), "service.lock")
os.symlink(str(os.getpid()), name)  # what a lock is, here of an earlier process
print("locked:", FilesystemLock(name).lock())
END
seen=$("$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
test "$seen" = "locked: False"

#!/bin/sh
# Twisted 26.10.0: on the asyncio reactor the callbacks of `deferToThread` run in the context of
# the worker thread: a context variable that the thread has set is seen there. On other reactors it
# is not.
# Seen with CPython 3.11: asyncio thread, select unset
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check Twisted==26.10.0
cat >"$folder/seen.py" <<'END'
import subprocess
import sys

PROGRAM = """
import sys
from twisted.internet import asyncioreactor, selectreactor
{"asyncio": asyncioreactor, "select": selectreactor}[sys.argv[1]].install()
from contextvars import ContextVar
from twisted.internet import reactor
from twisted.internet.threads import deferToThread
var = ContextVar("var", default="unset")
def done(result):
    print(sys.argv[1], var.get())
    reactor.stop()
reactor.callWhenRunning(lambda: deferToThread(var.set, "thread").addCallback(done))
reactor.run()
"""

seen = [
    subprocess.run(
        [sys.executable, "-c", PROGRAM, name], capture_output=True, text=True, check=True
    ).stdout.strip()
    for name in ("asyncio", "select")
]
print(", ".join(seen))
END
seen=$("$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
test "$seen" = "asyncio thread, select unset"

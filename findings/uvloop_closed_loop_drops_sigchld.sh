#!/bin/sh
# uvloop: a loop that has started a process leaves SIGCHLD, when it is closed, at the system's
# default, whoever had a handler of it, while `signal.getsignal` still gives that handler. It is
# never called again. asyncio's loop leaves it alone. (So a Twisted reactor no longer hears that its
# processes end.)
# Seen with CPython 3.11, uvloop 0.23.0 on Linux: asyncio True and called, uvloop True and not called
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check uvloop==0.23.0
cat >"$folder/seen.py" <<'END'
import asyncio
import signal
import subprocess

import uvloop


def handler(number, frame):
    called.append(number)


async def run_a_process():
    process = await asyncio.create_subprocess_exec("true")
    await process.wait()


for module in (asyncio, uvloop):
    called = []
    signal.signal(signal.SIGCHLD, handler)
    loop = module.new_event_loop()
    loop.run_until_complete(run_a_process())
    loop.close()
    called.clear()
    subprocess.run(["true"])
    told = "called" if called else "not called"
    print(f"{module.__name__}: handler kept {signal.getsignal(signal.SIGCHLD) is handler}, {told}")
END
seen=$("$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
test "$seen" = "asyncio: handler kept True, called
uvloop: handler kept True, not called"

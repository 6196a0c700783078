#!/bin/sh
# Twisted: a coroutine of Twisted's is sent back at once whatever it waits for and is no Deferred. So
# `await asyncio.sleep(0)` in it lets nobody else run, under the asyncio reactor as well, and awaiting
# a future fails with "await wasn't used with future", though it was.
# Seen with Twisted 26.10.0, CPython 3.11: asyncio a0 b0 a1 b1, Twisted a0 a1 b0 b1
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check Twisted==26.10.0
cat >"$folder/seen.py" <<'END'
import asyncio

from twisted.internet.defer import ensureDeferred

steps = []


async def work(name):
    for number in range(2):
        steps.append(f"{name}{number}")
        await asyncio.sleep(0)


async def both():
    await asyncio.gather(work("a"), work("b"))


async def wait_for(future):
    await future


asyncio.run(both())
print("asyncio", *steps)
steps.clear()
ensureDeferred(work("a"))
ensureDeferred(work("b"))
print("Twisted", *steps)
future = asyncio.new_event_loop().create_future()
ensureDeferred(wait_for(future)).addErrback(lambda failure: print(failure.getErrorMessage()))
END
seen=$("$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
test "$seen" = "asyncio a0 b0 a1 b1
Twisted a0 a1 b0 b1
await wasn't used with future"

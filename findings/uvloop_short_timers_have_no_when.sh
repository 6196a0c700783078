#!/bin/sh
# uvloop: `loop.call_later(delay, f)` with less than half a millisecond gives a Handle, as `call_soon`
# does, and no TimerHandle: it has no `when()`. So with `call_at` for a time that has come.
# Seen with CPython 3.11, uvloop 0.23.0: asyncio TimerHandle, uvloop Handle and from 1 ms TimerHandle
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check uvloop==0.23.0
cat >"$folder/seen.py" <<'END'
import asyncio

import uvloop


async def main():
    loop = asyncio.get_running_loop()
    handles = [
        loop.call_later(0.001, print),
        loop.call_later(0.0004, print),
        loop.call_at(loop.time(), print),
    ]
    for handle in handles:
        handle.cancel()
    return [f"{type(handle).__name__} {hasattr(handle, 'when')}" for handle in handles]


print("asyncio", *asyncio.run(main()))
print("uvloop", *uvloop.run(main()))
END
seen=$("$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
test "$seen" = "asyncio TimerHandle True TimerHandle True TimerHandle True
uvloop TimerHandle True Handle False Handle False"

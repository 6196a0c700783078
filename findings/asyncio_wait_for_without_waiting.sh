#!/bin/sh
# asyncio: what is awaitable and no future, such as an operation that has begun and can be cancelled,
# is never told when it is cancelled in its first turn: `__await__` has not been called then. So
# `wait_for(operation, 0)`, which cancels a future, lets the operation go on, and does not take a
# value that is there. `asyncio.timeout(0)` cancels both.
# Seen with CPython 3.11: future cancelled; operation: wait_for [], timeout ['awaited', 'cancelled']
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
cat >"$folder/seen.py" <<'END'
import asyncio


class Operation:
    def __init__(self):
        self.told = []

    def __await__(self):
        self.told.append("awaited")
        try:
            yield from asyncio.sleep(1).__await__()
        except asyncio.CancelledError:
            self.told.append("cancelled")
            raise


async def by_wait_for(waited):
    try:
        await asyncio.wait_for(waited, 0)
    except TimeoutError:
        return waited


async def by_timeout(waited):
    try:
        async with asyncio.timeout(0):
            await waited
    except TimeoutError:
        return waited


async def main():
    future = asyncio.get_running_loop().create_future()
    print("future", (await by_wait_for(future)).cancelled())
    print("wait_for", (await by_wait_for(Operation())).told)
    print("timeout", (await by_timeout(Operation())).told)


asyncio.run(main())
END
seen=$("$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
test "$seen" = "future True
wait_for []
timeout ['awaited', 'cancelled']"

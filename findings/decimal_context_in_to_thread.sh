#!/bin/sh
# CPython: `contextvars.copy_context` copies which decimal context is current, and not the context
# itself. So a function in `asyncio.to_thread` that sets its precision sets that of its caller, and
# of all tasks that have the same context.
# Seen with CPython 3.11: caller 28, then 5
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
cat >"$folder/seen.py" <<'END'
import asyncio
from decimal import getcontext


def rough():
    getcontext().prec = 5


async def main():
    before = getcontext().prec
    await asyncio.to_thread(rough)
    print(f"caller {before}, then {getcontext().prec}")


asyncio.run(main())
END
seen=$("$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
test "$seen" = "caller 28, then 5"

#!/bin/sh
# IPython in a terminal: Ctrl-C in a cell that awaits ends the wait for it, and not the cell. Its task
# stays in IPython's loop, and goes on in the next cell that awaits. (A notebook's kernel cancels it.)
# Seen with IPython 9.18.1: what follows the interrupted await is done one cell later
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ipython==9.18.1
cat >"$folder/seen.py" <<'END'
import asyncio
import signal

from IPython.core.async_helpers import _asyncio_runner

done = []


async def interrupted():
    asyncio.get_running_loop().call_later(0.1, signal.raise_signal, signal.SIGINT)
    await asyncio.sleep(0.3)
    done.append("after Ctrl-C")


try:
    _asyncio_runner(interrupted())  # as IPython runs a cell
except KeyboardInterrupt:
    print("interrupted", done)
_asyncio_runner(asyncio.sleep(0.5))  # the next cell
print("one cell later", done)
assert done == ["after Ctrl-C"]
END
"$folder/venv/bin/python" "$folder/seen.py"

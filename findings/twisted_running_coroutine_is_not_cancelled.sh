#!/bin/sh
# Twisted: `cancel()` of a coroutine's Deferred while the coroutine runs, as code that it has called may
# do, is forgotten: it raises nothing, the next `await` waits as if nobody had asked, and the coroutine
# ends with its value. A task of asyncio's is cancelled at its next `await`.
# Seen with Twisted 26.10.0, CPython 3.11: Twisted finished, asyncio cancelled
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check twisted==26.10.0
cat >"$folder/seen.py" <<'END'
import asyncio

from twisted.internet.defer import CancelledError, Deferred, ensureDeferred


async def work(first, second):
    try:
        await first
        running.cancel()
        await second
    except (CancelledError, asyncio.CancelledError):
        return "cancelled"
    return "finished"


async def main():
    global running
    loop = asyncio.get_running_loop()
    first, second = loop.create_future(), loop.create_future()
    running = loop.create_task(work(first, second))
    first.set_result(None)
    loop.call_later(0.5, lambda: second.done() or second.set_result(None))
    return await running


first, second = Deferred(), Deferred()
running = ensureDeferred(work(first, second))
first.callback(None)
if not second.called:
    second.callback(None)
running.addCallback(lambda seen: print("Twisted", seen))
print("asyncio", asyncio.run(main()))
END
seen=$("$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
test "$seen" = "Twisted finished
asyncio cancelled"

#!/bin/sh
# jupyter_core with asyncio: `run_sync`, which the blocking functions of Jupyter's clients are made
# with, keeps its event loop in a context variable. `asyncio.to_thread` runs each call in a copy of
# the context, so each makes another loop with three descriptors, which nobody closes: they stay
# until the collector of cycles runs. Plain calls share one loop.
# Seen with jupyter_core 5.9.1, CPython 3.11 on Linux: of ten calls, plain 1 loop and 3 descriptors,
# by to_thread in one thread 10 loops and 30 descriptors
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check jupyter_core==5.9.1
cat >"$folder/seen.py" <<'END'
import asyncio
import gc
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

from jupyter_core.utils import run_sync


def descriptors():
    return len(os.listdir("/proc/self/fd"))


@run_sync
async def blocking():
    return threading.get_ident(), id(asyncio.get_running_loop())


def plain():
    return [blocking() for _ in range(10)]


async def by_to_thread():
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(max_workers=1))
    return [await asyncio.to_thread(blocking) for _ in range(10)]


gc.disable()
asyncio.run(asyncio.sleep(0))
before = descriptors()
seen = asyncio.run(by_to_thread()) if sys.argv[1] == "to_thread" else plain()
threads, loops = (len(set(each)) for each in zip(*seen))
print(sys.argv[1], threads, "thread", loops, "loops", descriptors() - before, "descriptors")
END
seen=$(for each in plain to_thread; do "$folder/venv/bin/python" "$folder/seen.py" $each; done)
echo "$seen"
test "$seen" = "plain 1 thread 1 loops 3 descriptors
to_thread 1 thread 10 loops 30 descriptors"

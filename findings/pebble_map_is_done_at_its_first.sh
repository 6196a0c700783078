#!/bin/sh
# Pebble: the future that `pool.map` gives is done when the first of its chunks is: `done()` is true,
# `concurrent.futures.wait` and `asyncio.wrap_future` come back with it, its callbacks run, while the others
# wait or run. Only going through the iterator that is its result waits for them.
# Seen with Pebble 5.2.3, CPython 3.11: done True, of its chunks [True, False, False]
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check Pebble==5.2.3
cat >"$folder/seen.py" <<'END'
import threading
from concurrent.futures import wait

from pebble import ThreadPool

released = threading.Event()


def work(number):
    if number:
        released.wait(60)
    return number


with ThreadPool(max_workers=1) as pool:
    mapped = pool.map(work, [0, 1, 2], chunksize=1)
    wait([mapped], timeout=30)
    print("done", mapped.done(), "of its chunks", [chunk.done() for chunk in mapped.futures])
    released.set()
    print(list(mapped.result()))
END
seen=$("$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
test "$seen" = "done True of its chunks [True, False, False]
[0, 1, 2]"

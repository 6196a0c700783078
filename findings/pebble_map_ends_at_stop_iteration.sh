#!/bin/sh
# Pebble: a function that `map` calls and that raises StopIteration, as `next(...)` does where nothing is
# found, ends the iterator of results as if there were no more of them: the results before it come, those
# after it are gone, and no error says so. The map of concurrent.futures raises RuntimeError there.
# Seen with Pebble 5.2.3, CPython 3.11: [2] of three, by threads and by processes
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check Pebble==5.2.3
cat >"$folder/seen.py" <<'END'
from concurrent.futures import ThreadPoolExecutor

from pebble import ProcessPool, ThreadPool


def first_even(numbers):
    return next(number for number in numbers if number % 2 == 0)


ROWS = [1, 2], [3], [5, 6]
if __name__ == "__main__":
    for kind in (ThreadPool, ProcessPool):
        with kind(max_workers=1) as pool:
            print(kind.__name__, list(pool.map(first_even, ROWS).result()))
    with ThreadPoolExecutor(1) as executor:
        try:
            print("futures", list(executor.map(first_even, ROWS)))
        except RuntimeError as error:
            print("futures", error)
END
seen=$("$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
test "$seen" = "ThreadPool [2]
ProcessPool [2]
futures generator raised StopIteration"

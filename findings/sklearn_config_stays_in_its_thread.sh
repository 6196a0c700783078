#!/bin/sh
# scikit-learn 1.9.1: `set_config` is for the thread that calls it, and for no other, not even for
# one in `asyncio.to_thread`, which has its caller's context; the others have the defaults, and no
# error says so. numpy's `seterr` goes along there, and not in an executor.
# Seen with CPython 3.11, numpy 2.4.6: scikit-learn here only, numpy here and in to_thread
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check scikit-learn==1.9.1 numpy==2.4.6
cat >"$folder/seen.py" <<'END'
import asyncio

import numpy
import sklearn


def told():
    finite = sklearn.get_config()["assume_finite"]
    return f"scikit-learn {finite}, numpy {numpy.geterr()['over'] == 'raise'}"


async def main():
    sklearn.set_config(assume_finite=True)
    numpy.seterr(over="raise")
    print("here:", told())
    print("to_thread:", await asyncio.to_thread(told))
    print("executor:", await asyncio.get_running_loop().run_in_executor(None, told))


asyncio.run(main())
END
seen=$("$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
test "$seen" = "here: scikit-learn True, numpy True
to_thread: scikit-learn False, numpy True
executor: scikit-learn False, numpy False"

#!/bin/sh
# numpy 2.3.5: `array_equal` takes any exception of `__array__` for "not equal", a lost connection
# or a time-out included. `==` and `asarray` raise it.
# Seen with CPython 3.11: array_equal False, asarray ConnectionError
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check numpy==2.3.5
cat >"$folder/seen.py" <<'END'
import numpy


class Remote:
    def __array__(self, dtype=None, copy=None):
        raise ConnectionError("lost")


seen = f"array_equal {numpy.array_equal([1, 2], Remote())}"
try:
    numpy.asarray(Remote())
except ConnectionError as error:
    print(f"{seen}, asarray {type(error).__name__}")
END
seen=$("$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
test "$seen" = "array_equal False, asarray ConnectionError"

#!/bin/sh
# Twisted 26.10.0: `Failure(error)` reads `error.__traceback__`. A class of exceptions may have a
# property of that name; if it raises, `Failure` does, so code that is to report an error has one
# of its own. `traceback.format_exception_only` gets along with it.
# Seen with CPython 3.11: traceback 1 line, Failure RuntimeError
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check Twisted==26.10.0
cat >"$folder/seen.py" <<'END'
import traceback

from twisted.python.failure import Failure


class Remote(Exception):
    @property
    def __traceback__(self):
        raise RuntimeError("the connection is closed")


error = Remote("no such row")
lines = len(traceback.format_exception_only(error))
try:
    Failure(error)
except RuntimeError as raised:
    print(f"traceback {lines} line, Failure {type(raised).__name__}")
END
seen=$("$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
test "$seen" = "traceback 1 line, Failure RuntimeError"

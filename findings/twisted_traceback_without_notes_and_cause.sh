#!/bin/sh
# Twisted: Failure.getTraceback() leaves out an exception's notes and the exception it was raised
# from, both of which Python's own traceback module writes.
# Seen with Twisted 26.4.0: note False True, cause False True
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check Twisted==26.4.0
cat >"$folder/seen.py" <<'END'
import traceback

from twisted.python.failure import Failure

try:
    error = ValueError("no such price")
    error.add_note("while reading the catalogue")
    raise error from KeyError("tea")
except ValueError as caught:
    by_twisted = Failure().getTraceback()
    by_python = "".join(traceback.format_exception(caught))
for word, text in (("note", "while reading the catalogue"), ("cause", "KeyError: 'tea'")):
    print(word, text in by_twisted, text in by_python)
END
seen=$("$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
test "$seen" = "note False True
cause False True"

#!/bin/sh
# CPython: `inspect.signature(x)` compares a callable object with `type` and `object` by `==`, which
# x answers. If its `==` gives something true, such as a Deferred or an expression, x is taken for
# a builtin without a signature. If its `==` raises, `signature` does.
# Seen with CPython 3.11, Twisted 26.10.0: (item), "no signature found for builtin", "lost"
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check Twisted==26.10.0
cat >"$folder/seen.py" <<'END'
import inspect

from twisted.internet.defer import Deferred


class Plain:
    def __call__(self, item):
        """Take an item."""


class Later(Plain):
    def __eq__(self, other):
        return Deferred()


class Lost(Plain):
    def __eq__(self, other):
        raise ConnectionError("lost")


for x in Plain(), Later(), Lost():
    try:
        print(inspect.signature(x))
    except Exception as error:
        print(type(error).__name__, str(error).partition(" <")[0])
END
seen=$("$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
test "$seen" = "(item)
ValueError no signature found for builtin
ConnectionError lost"

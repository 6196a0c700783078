#!/bin/sh
# plac 1.4.7: a command takes `*numbers` and `**options`, and `1 a=2` gives (1,) and {"a": "2"} if
# the numbers are texts. If they have a type, the option is taken for a number and the command is
# refused.
# Seen with CPython 3.11: untyped 1 a=2, typed refused 2
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check plac==1.4.7
cat >"$folder/seen.py" <<'END'
import contextlib
import io

import plac


def untyped(*numbers, **options):
    return f"untyped {numbers[0]} a={options['a']}"


def typed(*numbers: ("numbers", "positional", None, int), **options):
    return f"typed {numbers[0]} a={options['a']}"


seen = plac.call(untyped, ["1", "a=2"])
try:
    with contextlib.redirect_stderr(io.StringIO()):
        seen += f", {plac.call(typed, ['1', 'a=2'])}"
except SystemExit as error:
    seen += f", typed refused {error.code}"
print(seen)
END
seen=$("$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
test "$seen" = "untyped 1 a=2, typed refused 2"

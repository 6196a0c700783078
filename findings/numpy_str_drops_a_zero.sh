#!/bin/sh
# numpy 2.4.6: `str()` of a `numpy.str_` drops the zeros at its end, and so does an f-string. The
# `str_` is a str, has both characters and is equal to "a\0", so `str(x) == x` is false.
# Seen with CPython 3.11: length 2, str 1, format 1, join 2
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check numpy==2.4.6
cat >"$folder/seen.py" <<'END'
import numpy

x = numpy.str_("a\0")
print(
    f"length {len(x)}, equal {x == 'a' + chr(0)}, str {len(str(x))}, format {len(f'{x}')},",
    f"join {len(''.join([x, '']))}, str(x) == x {str(x) == x}",
)
END
seen=$("$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
test "$seen" = "length 2, equal True, str 1, format 1, join 2, str(x) == x False"

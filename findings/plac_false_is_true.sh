#!/bin/sh
# plac 1.4.7: a parameter whose default is True takes its argument as text, and any text is true,
# so `program False` runs with True. (With the default False it is a flag, which takes no
# argument.)
# Seen with CPython 3.11: True
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check plac==1.4.7
cat >"$folder/seen.py" <<'END'
import plac


def main(backup=True):
    return bool(backup)


print(plac.call(main, ["False"]))
END
seen=$("$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
test "$seen" = "True"

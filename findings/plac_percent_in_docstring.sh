#!/bin/sh
# plac 1.4.7: the docstring of a command goes to argparse as it is, which formats it with %. So a
# container with a command that says "50% of it" has no help: a TypeError where help is asked for,
# and from CPython 3.14 on a ValueError before any command runs.
# Seen with CPython 3.11: no help, 5. Seen with CPython 3.14: no help, nothing runs
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check plac==1.4.7
cat >"$folder/seen.py" <<'END'
import plac


class Tools:
    commands = ["halve"]

    def halve(self, number):
        "Give 50% of it."
        return [int(number) // 2]


try:
    seen = plac.call(Tools(), ["halve", "10"])[0]
except ValueError:
    seen = "nothing runs"
try:
    plac.parser_from(Tools()).format_help()
except (TypeError, ValueError):
    print(f"no help, {seen}")
END
seen=$("$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
test "$seen" = "$("${PYTHON:-python3}" -c "
import sys
print('no help, nothing runs' if sys.version_info >= (3, 14) else 'no help, 5')")"

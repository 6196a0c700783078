#!/bin/sh
# msgspec 0.23.0: a dataclass is decoded without its `__init__`: one that the class has written itself
# is never called, so what it sets is missing and what it tidies is not tidied. `__post_init__` is
# called. No error says so.
# Seen with CPython 3.11: called {'name': 'tea', 'sold': 0}, decoded {'name': ' tea '}
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check msgspec==0.23.0
cat >"$folder/seen.py" <<'END'
from dataclasses import dataclass

import msgspec


@dataclass
class Item:
    name: str

    def __init__(self, name):
        self.name = name.strip()
        self.sold = 0


@dataclass
class Later:
    name: str

    def __post_init__(self):
        self.sold = 0


print("called", vars(Item(" tea ")))
print("decoded", vars(msgspec.json.decode('{"name": " tea "}', type=Item)))
print("post-init", vars(msgspec.json.decode('{"name": " tea "}', type=Later)))
END
seen=$("$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
test "$seen" = "called {'name': 'tea', 'sold': 0}
decoded {'name': ' tea '}
post-init {'name': ' tea ', 'sold': 0}"

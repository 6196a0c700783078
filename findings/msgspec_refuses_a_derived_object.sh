#!/bin/sh
# msgspec 0.23.0: `convert(x, Item)` refuses an object of a class derived from Item, with "Expected
# `object`, got `Special`": it looks for the very class, where isinstance() and type checkers take
# any derived one. A Struct is the same. With from_attributes=True it is taken, and becomes an Item.
# Seen with CPython 3.11: both are refused, then "Item"
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


@dataclass
class Special(Item):
    reason: str = ""


class Row(msgspec.Struct):
    name: str


class Longer(Row):
    reason: str = ""


for thing, declared in (Special("tea"), Item), (Longer("tea"), Row):
    try:
        msgspec.convert(thing, declared)
    except msgspec.ValidationError as error:
        print(error)
print(type(msgspec.convert(Special("tea"), Item, from_attributes=True)).__name__)
END
seen=$("$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
test "$seen" = 'Expected `object`, got `Special`
Expected `object`, got `Longer`
Item'

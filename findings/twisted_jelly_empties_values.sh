#!/bin/sh
# Twisted: jelly, the serializer of PB, takes an object whose class it does not know as "its __dict__, made
# again by __new__". So a value of a builtin kind that is kept elsewhere, such as a complex number, a
# bytearray, an OrderedDict, or an int and a str of a class of one's own, goes without an error and comes
# back as its type's zero or empty one. Decimals it does know lose the sign of a zero.
# Seen with Twisted 26.10.0, CPython 3.11: 0j, bytearray(b''), OrderedDict(), Port 0, Name '', Decimal 0
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check Twisted==26.10.0
cat >"$folder/seen.py" <<'END'
from collections import OrderedDict
from decimal import Decimal

from twisted.spread.jelly import jelly, unjelly


class Port(int): ...


class Name(str): ...


for value in (1 + 2j, bytearray(b"x"), OrderedDict(a=1), Port(8080), Name("ann"), Decimal("-0")):
    back = unjelly(jelly(value))
    print(type(back).__name__, back)
END
seen=$("$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
test "$seen" = "complex 0j
bytearray bytearray(b'')
OrderedDict OrderedDict()
Port 0
Name 
Decimal 0"

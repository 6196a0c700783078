#!/bin/sh
# Autobahn: what becomes of a dict whose keys are ints is up to the serializer that two WAMP peers have agreed
# on: CBOR keeps them, JSON makes them texts, and MessagePack sends a message that its own other end, with
# the same library, refuses as a whole: it is strict about keys where it reads, and not where it sends.
# Seen with autobahn 26.10.2, CPython 3.11: CBOR {1: 'tea'}, JSON {'1': 'tea'}, MessagePack ValueError
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check autobahn==26.10.2 msgpack==1.2.4 cbor2==6.3.0
cat >"$folder/seen.py" <<'END'
from autobahn.wamp import serializer

for name in ("CBOR", "Json", "MsgPack"):
    made = getattr(serializer, name + "ObjectSerializer")()
    sent = made.serialize([{1: "tea"}])
    try:
        print(name, made.unserialize(sent)[0])
    except ValueError as error:
        print(name, type(error).__name__, error)
END
seen=$("$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
test "$seen" = "CBOR [{1: 'tea'}]
Json [{'1': 'tea'}]
MsgPack ValueError int is not allowed for map key when strict_map_key=True"

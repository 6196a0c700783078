#!/bin/sh
# Autobahn: its JSON serializer, the one that every WAMP peer has, sends bytes as text: a NUL and base64. It
# sends a text that begins with a NUL as it is. So that comes as bytes, or, where what follows is no base64,
# the peer refuses the whole message. By MessagePack and CBOR it comes as it was.
# Seen with autobahn 26.10.2, CPython 3.11: b'hi', Error; a text of the same by the two others
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check autobahn==26.10.2 msgpack==1.2.4 cbor2==6.3.0
cat >"$folder/seen.py" <<'END'
from autobahn.wamp import serializer

for name in ("Json", "MsgPack", "CBOR"):
    made = getattr(serializer, name + "ObjectSerializer")()
    for text in ("\0aGk=", "\0key"):
        try:
            print(name, made.unserialize(made.serialize([text]))[0])
        except Exception as error:
            print(name, type(error).__name__)
END
seen=$("$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
test "$seen" = "Json [b'hi']
Json Error
MsgPack ['\x00aGk=']
MsgPack ['\x00key']
CBOR ['\x00aGk=']
CBOR ['\x00key']"

#!/bin/sh
# msgspec 0.23.0: a `time` whose zone is a ZoneInfo leaves the JSON and MessagePack encoders without
# any zone, and is decoded as a naive one; no error says so. A fixed offset is kept. The standard
# library knows no offset of such a time, for it has no date.
# Seen with CPython 3.11: "12:00:00" of Europe/Berlin, "12:00:00+01:00" of the fixed offset
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check msgspec==0.23.0 tzdata==2025.2
cat >"$folder/seen.py" <<'END'
from datetime import time, timedelta, timezone
from zoneinfo import ZoneInfo

import msgspec

berlin = time(12, tzinfo=ZoneInfo("Europe/Berlin"))
fixed = time(12, tzinfo=timezone(timedelta(hours=1)))
packed = msgspec.msgpack.encode(berlin)
print(
    msgspec.json.encode(berlin).decode(),
    msgspec.msgpack.decode(packed, type=time).tzinfo,
    msgspec.json.encode(fixed).decode(),
)
END
seen=$("$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
test "$seen" = '"12:00:00" None "12:00:00+01:00"'

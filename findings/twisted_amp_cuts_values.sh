#!/bin/sh
# Twisted: AMP's arguments change some values that they take. DateTime writes the offset from UTC in hours
# and minutes, so a time in a zone with seconds in it (as local mean times have) arrives as another moment.
# Integer cuts what is behind the point, where Float refuses an int; and Boolean makes True of "False".
# Seen with Twisted 26.10.0, CPython 3.11: 32 seconds later, 1, a ValueError, True
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check Twisted==26.10.0
cat >"$folder/seen.py" <<'END'
from datetime import datetime, timedelta, timezone

from twisted.protocols import amp


def sent(argument, value):
    return argument.fromString(argument.toString(value))


amsterdam = timezone(timedelta(minutes=19, seconds=32))  # until 1937
begin = datetime(1928, 7, 28, 14, 0, tzinfo=amsterdam)
print(sent(amp.DateTime(), begin) - begin)
print(sent(amp.Integer(), 1.9))
try:
    sent(amp.Float(), 2)
except ValueError as error:
    print(error)
print(sent(amp.Boolean(), "False"))
END
seen=$("$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
test "$seen" = "0:00:32
1
Bad float value 2
True"

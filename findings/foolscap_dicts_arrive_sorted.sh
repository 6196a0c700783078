#!/bin/sh
# foolscap: a dict arrives in the order of its sorted keys, not in the one that it had; so does an
# OrderedDict, as a dict. One whose keys cannot be compared with each other, such as ints and texts, is not
# sent at all: the TypeError of the sort is the answer. A named tuple arrives as a tuple, though an int of a
# class of one's own is refused.
# Seen with foolscap 24.9.0, Twisted 26.10.0, CPython 3.11: ['ann', 'zoe'] twice, TypeError, tuple, Violation
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check foolscap==24.9.0 Twisted==26.10.0
cat >"$folder/seen.py" <<'END'
from collections import OrderedDict, namedtuple
from contextlib import redirect_stdout
from io import StringIO

from foolscap.storage import serialize, unserialize

Move = namedtuple("Move", "x y")


class Port(int): ...


def sent(value):
    got = []
    with redirect_stdout(StringIO()):  # where foolscap tells of what it cannot send
        serialize(value).addCallback(unserialize).addBoth(got.append)
    return got[0]


print(list(sent({"zoe": 1, "ann": 2})), list(sent(OrderedDict(zoe=1, ann=2))))
print(sent({"a": 1, 1: 2}).type.__name__)
print(type(sent(Move(1, 2))).__name__)
print(sent(Port(1)).type.__name__)
END
seen=$("$folder/venv/bin/python" "$folder/seen.py" 2>/dev/null)
echo "$seen"
test "$seen" = "['ann', 'zoe'] ['ann', 'zoe']
TypeError
tuple
Violation"

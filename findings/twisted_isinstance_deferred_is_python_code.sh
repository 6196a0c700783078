#!/bin/sh
# Twisted 26.10.0: `Deferred` derives from collections.abc.Awaitable, so its metaclass is ABCMeta:
# `isinstance(x, Deferred)` of what is no Deferred runs Python's `__instancecheck__` each time,
# looks at `x.__class__` (which a proxy may have its own answer for), and says yes of any class that
# somebody has registered, although it has no callback to add.
# Seen with CPython 3.11: two or three times as slow as for a plain class
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check Twisted==26.10.0
cat >"$folder/seen.py" <<'END'
import sys

from twisted.internet.defer import Deferred

called, asked = [], []


class Plain:
    pass


class Proxy:
    @property
    def __class__(self):
        asked.append(self)
        return Proxy


def note(frame, event, _argument):
    if event == "call":
        called.append(frame.f_code.co_name)


value = 5
isinstance(value, Deferred)  # the first time there is more
sys.setprofile(note)
isinstance(value, Plain)
isinstance(value, Deferred)
sys.setprofile(None)
isinstance(Proxy(), Deferred)
Deferred.register(Plain)
print(called, len(asked) > 0, isinstance(Plain(), Deferred), hasattr(Plain, "addCallback"))
END
seen=$("$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
test "$seen" = "['__instancecheck__'] True True False"

#!/bin/sh
# RPyC 6.0.2: a numpy.float64 cannot be iterated over, and says TypeError. A reference to a remote
# one is an empty iterable, so `list`, `sum` and `for` give an answer: nothing.
# Seen with CPython 3.11: here TypeError, remote []
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check rpyc==6.0.2 numpy==2.3.5
cat >"$folder/seen.py" <<'END'
import numpy
import rpyc


class Service(rpyc.Service):
    def exposed_mean(self):
        return numpy.float64(1.5)


options = {"allow_all_attrs": True}
conn = rpyc.connect_thread(remote_service=Service, remote_config=options)
try:
    here = list(numpy.float64(1.5))
except TypeError as error:
    here = type(error).__name__
print(f"here {here}, remote {list(conn.root.mean())}")
END
seen=$("$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
test "$seen" = "here TypeError, remote []"

#!/bin/sh
# RPyC 6.0.2: bytes(array) gives the memory of an array.array. Of a remote one it gives a byte for
# each item, because a reference has no buffer and is an iterable of ints.
# Seen with CPython 3.11 on x86-64: here 12, remote 3
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check rpyc==6.0.2
cat >"$folder/seen.py" <<'END'
from array import array

import rpyc


class Service(rpyc.Service):
    def exposed_counts(self):
        return array("i", [1, 2, 3])


options = {"allow_all_attrs": True}
conn = rpyc.connect_thread(remote_service=Service, remote_config=options)
print(f"here {len(bytes(array('i', [1, 2, 3])))}, remote {len(bytes(conn.root.counts()))}")
END
seen=$("$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
test "$seen" = "here 12, remote 3"

#!/bin/sh
# RPyC: a service that does `store.update(mapping)` with a dict that its client passes has other keys and values
# than the client: the dict is a netref whose `keys` may not be read, so Python's `dict.update` iterates over it and
# takes each key of two letters for a pair. Keys of any other length raise ValueError. `dict(mapping)` does the same.
# With `allow_public_attrs` at the client, `keys` may be read, and the dict is right.
# Seen with rpyc 6.0.2, CPython 3.11 on Linux: {'u': 'k', 'd': 'e'} ValueError {'uk': 1, 'de': 2}
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check rpyc==6.0.2
cat >"$folder/seen.py" <<'END'
import logging
import threading

import rpyc
from rpyc.utils.server import ThreadedServer


class Store(rpyc.Service):
    def exposed_taken(self, mapping):
        store = {}
        store.update(mapping)
        return str(store)


quiet = logging.getLogger("quiet")
quiet.setLevel(logging.CRITICAL)
server = ThreadedServer(Store, hostname="127.0.0.1", port=0, logger=quiet)
server._listen()
threading.Thread(target=server.start, daemon=True).start()
plain = rpyc.connect("127.0.0.1", server.port)
print(plain.root.taken({"uk": 1, "de": 2}))
try:
    print(plain.root.taken({"fra": 3}))
except ValueError:
    print("ValueError")
public = rpyc.connect("127.0.0.1", server.port, config={"allow_public_attrs": True})
print(public.root.taken({"uk": 1, "de": 2}))
END
seen=$("$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
test "$seen" = "{'u': 'k', 'd': 'e'}
ValueError
{'uk': 1, 'de': 2}"

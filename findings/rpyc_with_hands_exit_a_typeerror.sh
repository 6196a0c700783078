#!/bin/sh
# RPyC: where an exception leaves a "with" of a remote object, the object's __exit__ gets a TypeError and not
# that exception: the client tells the class alone, by reference, and the server raises the reference. So a
# remote __exit__ that forgives a ValueError does not, and one that looks for a kind of error, as those of
# database transactions do, takes another branch than beside its caller.
# Seen with RPyC 6.0.2, CPython 3.11: None, and TypeError for ValueError, KeyError and a class of one's own
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check rpyc==6.0.2
cat >"$folder/seen.py" <<'END'
import threading

import rpyc
from rpyc.utils.server import ThreadedServer

SEEN = []


class Forgiving:
    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        SEEN.append(kind and kind.__name__)
        return kind is not None and issubclass(kind, (ValueError, KeyError))


class Shop(rpyc.Service):
    def exposed_forgiving(self):
        return Forgiving()


class Mine(ValueError): ...


server = ThreadedServer(Shop, hostname="127.0.0.1", port=0)
threading.Thread(target=server.start, daemon=True).start()
connection = rpyc.connect("127.0.0.1", server.port)
with connection.root.forgiving():
    pass
print(SEEN.pop())
for error in (ValueError("v"), KeyError("k"), Mine("m")):
    try:
        with connection.root.forgiving():
            raise error
        print("forgiven:", SEEN.pop())
    except Exception as raised:
        print("raised", type(raised).__name__, "though", SEEN.pop(), "was told")
END
seen=$("$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
test "$seen" = "None
raised ValueError though TypeError was told
raised KeyError though TypeError was told
raised Mine though TypeError was told"

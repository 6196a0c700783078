#!/bin/sh
# RPyC: an object of a remote class is an instance of it by isinstance(), but its `__class__` is
# not equal to that class, and comparing type() of it with the class raises. So code that
# dispatches by `type(x) == A` or `x.__class__ is A` works only with isinstance().
# Seen with rpyc 6.0.2: True, False, TypeError
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check rpyc==6.0.2
cat >"$folder/seen.py" <<'END'
import threading

import rpyc
from rpyc.utils.server import ThreadedServer

server = ThreadedServer(rpyc.ClassicService, hostname="127.0.0.1", port=0)
threading.Thread(target=server.start, daemon=True).start()
while not server.active:
    pass
conn = rpyc.classic.connect("127.0.0.1", server.port)
conn.execute("class A: pass\na = A()")
remote_class, remote = conn.namespace["A"], conn.namespace["a"]
print(isinstance(remote, remote_class))
print(remote.__class__ == remote_class)
try:
    type(remote) == remote_class
except TypeError as error:
    print(type(error).__name__)
conn.close()
END
seen=$("$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
test "$seen" = "True
False
TypeError"

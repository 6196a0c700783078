#!/bin/sh
# RPyC: `@rpyc.exposed` cannot expose a property. Over `@property` it raises as the class is made, since a property
# takes no attributes; under it the class is made, and the peer is refused the name. A property whose name has the
# prefix (`exposed_total`) works.
# Seen with rpyc 6.0.2, CPython 3.11 on Linux: AttributeError AttributeError 7
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check rpyc==6.0.2
cat >"$folder/seen.py" <<'END'
import rpyc

try:

    class Over(rpyc.Service):
        @rpyc.exposed
        @property
        def total(self):
            return 7

except AttributeError as problem:
    print(type(problem).__name__)


class Under(rpyc.Service):
    @property
    @rpyc.exposed
    def total(self):
        return 7

    @property
    def exposed_sum(self):
        return 7


connection = rpyc.connect_thread(remote_service=Under)
try:
    print(connection.root.total)
except AttributeError as problem:
    print(type(problem).__name__)
print(connection.root.sum)
END
seen=$("$folder/venv/bin/python" "$folder/seen.py" 2>/dev/null)
echo "$seen"
test "$seen" = "AttributeError
AttributeError
7"

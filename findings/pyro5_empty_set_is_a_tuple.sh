#!/bin/sh
# Pyro5: an empty set arrives as an empty tuple by serpent, its default serializer, though a set with items
# arrives as a set, and a frozenset as a set. So code that was tried with items fails at the first set
# without any: it has no add(). A method that answers len() or a loop does not notice.
# Seen with Pyro5 5.17, serpent 1.43, CPython 3.11: set, set, tuple, AttributeError
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check Pyro5==5.17 serpent==1.43
cat >"$folder/seen.py" <<'END'
import threading

import Pyro5.api


@Pyro5.api.expose
class Tags:
    def kind(self, tags):
        return type(tags).__name__

    def added(self, tags):
        tags.add("new")
        return tags


daemon = Pyro5.api.Daemon()
uri = daemon.register(Tags())
threading.Thread(target=daemon.requestLoop, daemon=True).start()
with Pyro5.api.Proxy(uri) as proxy:
    print(proxy.kind({"a"}), proxy.kind(frozenset("a")), proxy.kind(set()))
    print(sorted(proxy.added({"a"})))
    try:
        proxy.added(set())
    except AttributeError as error:
        print(error)
END
seen=$("$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
test "$seen" = "set set tuple
['a', 'new']
'tuple' object has no attribute 'add'"

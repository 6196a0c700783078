#!/bin/sh
# Pyro5: a dict that has a key "__class__" is taken for an object that was serialized, wherever it is in an
# argument or an answer. So what a program describes by such a dict is refused, with "unsupported
# serialized class", by each of its serializers that send dicts as they are; and under serpent, its
# default, one that looks like its form of a NaN comes as a float.
# Seen with Pyro5 5.17, CPython 3.11: SerializeError by each of the three, and nan
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check Pyro5==5.17 serpent==1.43
cat >"$folder/seen.py" <<'END'
import threading

import Pyro5.api
import Pyro5.errors


@Pyro5.api.expose
class Echo:
    def echo(self, given):
        return given


daemon = Pyro5.api.Daemon()
uri = daemon.register(Echo())
threading.Thread(target=daemon.requestLoop, daemon=True).start()
node = {"__class__": "Name", "id": "x"}
for serializer in ("serpent", "json", "marshal"):
    Pyro5.config.SERIALIZER = serializer
    with Pyro5.api.Proxy(uri) as proxy:
        try:
            print(serializer, proxy.echo({"body": [node]}))
        except Pyro5.errors.SerializeError as error:
            print(serializer, type(error).__name__)
Pyro5.config.SERIALIZER = "serpent"
with Pyro5.api.Proxy(uri) as proxy:
    print(proxy.echo([{"__class__": "float", "value": "nan"}]))
END
seen=$("$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
test "$seen" = "serpent SerializeError
json SerializeError
marshal SerializeError
[nan]"

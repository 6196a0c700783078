#!/bin/sh
# Pyro5: with its serializer msgpack a dict whose keys are ints can be sent, and cannot be received: Pyro5
# leaves msgpack's strict_map_key on. The caller gets the ValueError of the server, or of itself for an
# answer. By serpent and marshal such a dict arrives as it is, by json with its keys as texts.
# Seen with Pyro5 5.17, msgpack 1.1.2, CPython 3.11: {1: 'a'} twice, {'1': 'a'}, ValueError
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check Pyro5==5.17 serpent==1.43 msgpack==1.1.2
cat >"$folder/seen.py" <<'END'
import threading

import Pyro5.api


@Pyro5.api.expose
class Names:
    def of_numbers(self):
        return {1: "a"}


daemon = Pyro5.api.Daemon()
uri = daemon.register(Names())
threading.Thread(target=daemon.requestLoop, daemon=True).start()
for serializer in ("serpent", "marshal", "json", "msgpack"):
    Pyro5.config.SERIALIZER = serializer
    with Pyro5.api.Proxy(uri) as proxy:
        try:
            print(serializer, proxy.of_numbers())
        except ValueError as error:
            print(serializer, error)
END
seen=$("$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
test "$seen" = "serpent {1: 'a'}
marshal {1: 'a'}
json {'1': 'a'}
msgpack int is not allowed for map key when strict_map_key=True"

#!/bin/sh
# RPyC and Pyro5: both send an int as its decimal digits, of which Python converts no more than 4300 since
# CPython 3.11. So a larger one, such as factorial(2000), is refused with a ValueError by RPyC and by
# Pyro5's serializers serpent (its default) and json. Its marshal, which sends bits, takes it.
# Seen with RPyC 6.0.2, Pyro5 5.17, CPython 3.11: 4300 digits by all, 4301 by marshal alone
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check rpyc==6.0.2 Pyro5==5.17 serpent==1.43
cat >"$folder/seen.py" <<'END'
import socket
import threading

import Pyro5.api
import rpyc


class Counting(rpyc.Service):
    def exposed_bits(self, number):
        return number.bit_length()


@Pyro5.api.expose
class Counts:
    def bits(self, number):
        return number.bit_length()


def tried(words, bits):
    taken = []
    for digits in (4300, 4301):
        try:
            taken.append(bits(10 ** (digits - 1)))
        except ValueError as error:
            taken.append(type(error).__name__)
    print(words, *taken)


ours, theirs = socket.socketpair()
server = rpyc.utils.factory.connect_stream(rpyc.SocketStream(theirs), Counting)
threading.Thread(target=server.serve_all, daemon=True).start()
tried("rpyc", rpyc.utils.factory.connect_stream(rpyc.SocketStream(ours)).root.bits)
daemon = Pyro5.api.Daemon()
uri = daemon.register(Counts())
threading.Thread(target=daemon.requestLoop, daemon=True).start()
for serializer in ("serpent", "json", "marshal"):
    Pyro5.config.SERIALIZER = serializer
    with Pyro5.api.Proxy(uri) as proxy:
        tried(serializer, proxy.bits)
END
seen=$("$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
test "$seen" = "rpyc 14281 ValueError
serpent 14281 ValueError
json 14281 ValueError
marshal 14281 14285"

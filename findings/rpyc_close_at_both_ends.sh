#!/bin/sh
# RPyC: if both ends of a connection are closed at the same time, `close()` (or the end of `with`)
# raises AttributeError at both: each is told of the other's close while it waits for the answer to
# its own, and clears up twice. `close()` of a connection that the other end has closed and that was
# served since does not raise.
# Seen with rpyc 6.0.2, CPython 3.11: 'NoneType' object has no attribute 'on_disconnect', twice
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check rpyc==6.0.2
cat >"$folder/seen.py" <<'END'
import socket
import threading

import rpyc
from rpyc.core.stream import SocketStream


def close(connection, told):
    try:
        connection.close()
        told.append("closed")
    except AttributeError as error:
        told.append(str(error))


def pair():
    return [rpyc.connect_stream(SocketStream(end)) for end in socket.socketpair()]


def together(functions):
    threads = [threading.Thread(target=each, args=args) for each, *args in functions]
    for each in threads:
        each.start()
    for each in threads:
        each.join()


def serve_then_close(connection, told):
    connection.serve_all()
    close(connection, told)


told = []
one, other = pair()
together([(close, one, told), (serve_then_close, other, told)])
print("one after the other:", *told)
told = []
together([(close, each, told) for each in pair()])
print("both:", *told, sep="\n")
END
seen=$("$folder/venv/bin/python" "$folder/seen.py" 2>/dev/null)
echo "$seen"
test "$seen" = "one after the other: closed closed
both:
'NoneType' object has no attribute 'on_disconnect'
'NoneType' object has no attribute 'on_disconnect'"

#!/bin/sh
# http.client and urllib: of an answer whose connection ends before the length that its header told,
# only `read()` without a size raises IncompleteRead. In pieces, by `read(size)`, `read1`,
# `readinto`, lines or `shutil.copyfileobj`, the half is taken for the whole: no error. So whatever
# downloads in pieces has to compare what came with Content-Length.
# Seen with CPython 3.11, 3.12 and 3.13: read() IncompleteRead, all others the 5 bytes of 100 that came
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
cat >"$folder/seen.py" <<'END'
import http.client
import io
import shutil
import socket
import threading
import urllib.request

listening = socket.create_server(("127.0.0.1", 0))
url = f"http://127.0.0.1:{listening.getsockname()[1]}/"


def serve():
    while True:
        connection, _ = listening.accept()
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello")
        connection.close()


def copied(answer):
    copy = io.BytesIO()
    shutil.copyfileobj(answer, copy)
    return len(copy.getvalue())


ways = {
    "read()": lambda answer: len(answer.read()),
    "read(64)": lambda answer: sum(map(len, iter(lambda: answer.read(64), b""))),
    "read1()": lambda answer: sum(map(len, iter(answer.read1, b""))),
    "readinto": lambda answer: answer.readinto(bytearray(100)),
    "lines": lambda answer: sum(map(len, answer)),
    "copyfileobj": copied,
}
threading.Thread(target=serve, daemon=True).start()
for name, way in ways.items():
    try:
        with urllib.request.urlopen(url) as answer:
            print(name, way(answer))
    except http.client.IncompleteRead:
        print(name, "IncompleteRead")
END
seen=$(no_proxy=127.0.0.1 "$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
test "$seen" = "read() IncompleteRead
read(64) 5
read1() 5
readinto 5
lines 5
copyfileobj 5"

#!/bin/sh
# txredisapi: the items of a list answer, of LRANGE say, are taken one in a turn of the reactor, though
# all have come in one read. So an answer of 5,000 items takes 5,000 turns, in each of which all that the
# program does besides has its part. An answer that is one bulk text takes few.
# Seen with txredisapi 1.6.0, Twisted 26.10.0, CPython 3.11, Redis 7.0
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"; test -z "${server:-}" || kill "$server"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check Twisted==26.10.0 txredisapi==1.6.0
redis-server --port 0 --unixsocket "$folder/redis.sock" --save "" --dir "$folder" >"$folder/log" &
server=$!
while ! test -S "$folder/redis.sock"; do sleep 0.1; done
cat >"$folder/seen.py" <<'END'
import sys

import txredisapi
from twisted.internet import defer, task


async def main(reactor, path):
    redis = await txredisapi.UnixConnection(path, reconnect=False)
    await redis.eval("for i = 1, 5000 do redis.call('RPUSH', 'items', 'x') end", [], [])
    turns = 0

    def turn():
        nonlocal turns
        turns += 1

    counting = task.LoopingCall(turn)
    counting.clock = reactor
    counting.start(0)
    items = await redis.lrange("items", 0, -1)
    print(len(items), "items", "a turn for each" if turns >= len(items) else f"{turns} turns")
    turns = 0
    text = await redis.eval("return string.rep('x', 5000)", [], [])
    print(len(text), "bytes", "few turns" if turns < 50 else f"{turns} turns")
    counting.stop()


task.react(lambda reactor, path: defer.ensureDeferred(main(reactor, path)), sys.argv[1:])
END
seen=$("$folder/venv/bin/python" "$folder/seen.py" "$folder/redis.sock")
echo "$seen"
test "$seen" = "5000 items a turn for each
5000 bytes few turns"

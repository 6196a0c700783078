#!/bin/sh
# asyncio with Twisted: a loop of asyncio that had `add_signal_handler`, and is run to its end and
# closed in the reactor's thread, takes the process's wakeup descriptor with it, which was the
# reactor's. From then on the reactor does not hear that its child processes have ended. No error
# says so.
# Seen with Twisted 26.10.0, CPython 3.11 on Linux: without such a handler ended, with one not heard
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check Twisted==26.10.0
cat >"$folder/seen.py" <<'END'
import asyncio
import signal
import sys

from twisted.internet import reactor
from twisted.internet.protocol import ProcessProtocol


class Child(ProcessProtocol):
    def processEnded(self, reason):
        stop("ended")


def stop(told):
    print(f"a signal's handler {sys.argv[1]}, child {told}")
    reactor.stop()


def begin():
    loop = asyncio.new_event_loop()
    if sys.argv[1] == "yes":
        loop.add_signal_handler(signal.SIGUSR1, print)
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    reactor.callLater(3, stop, "not heard")
    reactor.spawnProcess(Child(), "/bin/sleep", ["sleep", "0.1"], childFDs={})


reactor.callWhenRunning(begin)
reactor.run()
END
seen=$(for each in no yes; do "$folder/venv/bin/python" "$folder/seen.py" $each; done)
echo "$seen"
test "$seen" = "a signal's handler no, child ended
a signal's handler yes, child not heard"

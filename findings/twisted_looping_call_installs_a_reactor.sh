#!/bin/sh
# Twisted: `LoopingCall(f)` installs the default reactor when it is made, also where its `clock` is
# set to another reactor afterwards, which is the way to give it one. `HostnameEndpoint.connect` makes
# one. So a program with a reactor object of its own has two, and `asyncioreactor.install()` fails.
# Seen with Twisted 26.10.0, CPython 3.11: LoopingCall False, then True; so HostnameEndpoint
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check Twisted==26.10.0
cat >"$folder/seen.py" <<'END'
import sys

from twisted.internet import asyncioreactor
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.error import ReactorAlreadyInstalledError
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.selectreactor import SelectReactor
from twisted.internet.task import LoopingCall

mine = SelectReactor()


def installed():
    return "twisted.internet.reactor" in sys.modules


def looping_call():
    call = LoopingCall(mine.stop)
    call.clock = mine
    call.start(1)


def endpoint():
    port = mine.listenTCP(0, Factory.forProtocol(Protocol), interface="127.0.0.1")
    there = HostnameEndpoint(mine, "127.0.0.1", port.getHost().port)
    there.connect(Factory.forProtocol(Protocol)).addCallback(lambda made: mine.stop())


before = installed()
mine.callWhenRunning({"LoopingCall": looping_call, "HostnameEndpoint": endpoint}[sys.argv[1]])
mine.run()
print(f"{sys.argv[1]} {before}, then {installed()}")
try:
    asyncioreactor.install()
except ReactorAlreadyInstalledError as error:
    print(type(error).__name__)
END
seen=$(for name in LoopingCall HostnameEndpoint; do "$folder/venv/bin/python" "$folder/seen.py" $name; done)
echo "$seen"
test "$seen" = "LoopingCall False, then True
ReactorAlreadyInstalledError
HostnameEndpoint False, then True
ReactorAlreadyInstalledError"

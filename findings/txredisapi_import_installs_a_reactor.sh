#!/bin/sh
# txredisapi: importing it installs the default reactor, so a program that chooses another one, or that
# runs asyncio alone and reads a name of its (an error class, say), has to import it afterwards.
# Seen with txredisapi 1.6.0, Twisted 26.10.0, CPython 3.11: a reactor True; asyncioreactor.install() refused
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check Twisted==26.10.0 txredisapi==1.6.0
cat >"$folder/seen.py" <<'END'
import sys

import txredisapi  # noqa: F401

print("a reactor", "twisted.internet.reactor" in sys.modules)
from twisted.internet import asyncioreactor
from twisted.internet.error import ReactorAlreadyInstalledError

try:
    asyncioreactor.install()
except ReactorAlreadyInstalledError:
    print("asyncioreactor.install() refused")
END
seen=$("$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
test "$seen" = "a reactor True
asyncioreactor.install() refused"

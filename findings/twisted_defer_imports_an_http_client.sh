#!/bin/sh
# Twisted 26.10.0: a program that wants a Deferred and nothing else has imported asyncio, and the
# standard library's HTTP client with its cookies, TLS and the parser of e-mail:
# `twisted.internet.defer` imports the first itself, `twisted.python.compat` the cookies, for Python
# 2's sake. Both are most of its modules.
# Seen with CPython 3.11: email, http.client, http.cookiejar, ssl, urllib.request; no reactor
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check Twisted==26.10.0
cat >"$folder/seen.py" <<'END'
import subprocess
import sys

WANTED = "import sys; before = set(sys.modules); import {}; print(*sorted(set(sys.modules) - before))"


def imported_by(name):
    source = WANTED.format(name)
    return set(subprocess.check_output([sys.executable, "-c", source], text=True).split())


defer = imported_by("twisted.internet.defer")
clients = ("email", "http.client", "http.cookiejar", "ssl", "urllib.request")
print("asyncio", "asyncio" in defer, "reactor", "twisted.internet.reactor" in defer)
print("compat", *[name for name in clients if name in imported_by("twisted.python.compat")])
others = imported_by("asyncio, http.cookiejar") & defer
print("most of them", len(others) > len(defer) / 2)
END
seen=$("$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
test "$seen" = "asyncio True reactor False
compat email http.client http.cookiejar ssl urllib.request
most of them True"

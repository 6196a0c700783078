#!/bin/sh
# RPyC: `python -m rpyc.cli.rpyc_registry` ends at once with status 0 and no word, and serves nothing: the
# module has a function and nothing that calls it. The script `rpyc_registry` serves. A unit file or a
# container that starts it as a module looks well and has no registry.
# Seen with rpyc 6.0.2, CPython 3.11: status 0, output ''
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check rpyc==6.0.2
output=$(timeout 10 "$folder/venv/bin/python" -m rpyc.cli.rpyc_registry --mode udp 2>&1) && status=0 || status=$?
seen="status $status, output '$output'"
echo "$seen"
test "$seen" = "status 0, output ''"

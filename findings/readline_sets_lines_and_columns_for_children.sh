#!/bin/sh
# readline: where stdin is a terminal, the import puts LINES and COLUMNS into the environment of the
# process, past Python: `os.environ` has neither. Children that are started without `env` get them,
# and keep that size when the terminal has another one; those with `env=os.environ` do not. So
# `subprocess.run(command)` and the same with a copy of `os.environ` differ.
# Seen with CPython 3.11 with GNU readline on Linux: env=None 30 100, env=os.environ none
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
cat >"$folder/child.py" <<'END'
import os
import subprocess
import sys

if sys.argv[1] == "readline":
    import readline
show = ["/bin/sh", "-c", 'echo "$0" "${LINES:-none}" "${COLUMNS:-none}"']
print(sys.argv[1], "os.environ", os.environ.get("LINES", "none"), flush=True)
subprocess.run([*show, "env=None"], check=True)
subprocess.run([*show, "env=os.environ"], env=os.environ, check=True)
END
cat >"$folder/seen.py" <<'END'
import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios

child = os.path.join(os.path.dirname(__file__), "child.py")
environment = {**os.environ, "TERM": "xterm"}
environment.pop("LINES", None)
environment.pop("COLUMNS", None)
for name in ("without", "readline"):
    terminal, its_end = pty.openpty()
    fcntl.ioctl(its_end, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    command = [sys.executable, child, name]
    subprocess.run(command, stdin=its_end, env=environment, check=True)
END
seen=$("$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
test "$seen" = "without os.environ none
env=None none none
env=os.environ none none
readline os.environ none
env=None 30 100
env=os.environ none none"

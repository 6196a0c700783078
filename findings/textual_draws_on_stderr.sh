#!/bin/sh
# Textual: an app draws on stderr. So with the usual `app.py 2>errors.txt` the terminal stays blank,
# the whole screen with its control codes is in the file, and the app goes on. With `>file` the
# screen is on the terminal and the file is empty.
# Seen with textual 8.2.8, CPython 3.11 on Linux: stdout in a file drawn, stderr in a file nothing
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check textual==8.2.8
cat >"$folder/app.py" <<'END'
from textual.app import App
from textual.widgets import Label


class Seen(App):
    def compose(self):
        yield Label("good morning")

    def on_mount(self):
        self.set_timer(0.5, self.exit)


Seen().run()
END
cat >"$folder/seen.py" <<'END'
import os
import pty
import subprocess
import sys

app = os.path.join(os.path.dirname(__file__), "app.py")
for name in ("stdout", "stderr"):
    terminal, its_end = pty.openpty()
    path = f"{app}.{name}"
    with open(path, "wb") as file:
        streams = {"stdin": its_end, "stdout": its_end, "stderr": its_end, name: file}
        environment = {**os.environ, "TERM": "xterm"}
        child = subprocess.Popen(
            [sys.executable, app], **streams, env=environment, start_new_session=True
        )
    os.close(its_end)
    drawn = b""
    try:
        while some := os.read(terminal, 65536):
            drawn += some
    except OSError:  # the child has ended
        pass
    with open(path, "rb") as file:
        in_file = b"good morning" in file.read()
    print(f"{name} in a file: on the terminal {b'good morning' in drawn}, in the file {in_file}")
    print("bytes on the terminal:", "some" if drawn else "none", "status", child.wait())
END
seen=$("$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
test "$seen" = "stdout in a file: on the terminal True, in the file False
bytes on the terminal: some status 0
stderr in a file: on the terminal False, in the file True
bytes on the terminal: none status 0"

#!/bin/sh
# plac 1.4.7: making a `plac.Interpreter`, of any container, puts plac's own handler of SIGTERM in the place
# of the program's, without a word, and never puts that back; a server that stops in order on SIGTERM
# raises plac's exception in its main thread instead. In another thread none can be made at all.
# Seen with CPython 3.11: terminatedProcess, within and after the `with`; ValueError in a thread
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check plac==1.4.7
cat >"$folder/seen.py" <<'END'
import signal
import threading

import plac


class Shop:
    commands = ["price"]

    def price(self):
        return 3


def stop(number, frame):
    print("stopped in order")


def in_a_thread():
    try:
        plac.Interpreter(Shop())
    except ValueError as error:
        print(type(error).__name__)


signal.signal(signal.SIGTERM, stop)
with plac.Interpreter(Shop()) as interpreter:
    print(interpreter.send("price"), signal.getsignal(signal.SIGTERM).__name__)
print(signal.getsignal(signal.SIGTERM).__name__)
thread = threading.Thread(target=in_a_thread)
thread.start()
thread.join()
END
seen=$("$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
test "$seen" = "3 terminatedProcess
terminatedProcess
ValueError"

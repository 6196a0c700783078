#!/bin/sh
# plac 1.4.7: a command that its container lists in `thcommands` or `mpcommands`, to be run in a thread or a
# process of its own, runs there only if it yields. One that returns is run to its end by `submit`, in
# the interpreter's own thread, before anything is said to be running; a list is no exception.
# Seen with CPython 3.11: in the main thread True, True, False for one that returns, a list, one that yields
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check plac==1.4.7
cat >"$folder/seen.py" <<'END'
import os
import threading

import plac

main = os.getpid()


def here():
    return os.getpid() == main and threading.current_thread() is threading.main_thread()


class Jobs:
    thcommands = ["returning", "listing", "yielding"]
    mpcommands = ["returning_in_a_process", "yielding_in_a_process"]

    def returning(self):
        return here()

    def listing(self):
        return [here()]

    def yielding(self):
        yield here()

    def returning_in_a_process(self):
        return here()

    def yielding_in_a_process(self):
        yield here()


with plac.Interpreter(Jobs()) as interpreter:
    for command in Jobs.thcommands + Jobs.mpcommands:
        task = interpreter.submit(command)
        task.run()
        print(command, task.result)
END
seen=$("$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
test "$seen" = "returning True
listing True
yielding False
returning_in_a_process True
yielding_in_a_process False"

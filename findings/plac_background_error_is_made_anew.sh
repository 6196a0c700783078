#!/bin/sh
# plac 1.4.7: the error of a command is raised by `task.result` as one of the same class that is made anew:
# of the error itself where the command ran in a thread, of the traceback's text where it ran in a
# process. So an OSError has no errno, and of a class that wants two arguments it is a TypeError.
# Seen with CPython 3.11: errno None, and TypeError for a class of two arguments, by both
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check plac==1.4.7
cat >"$folder/seen.py" <<'END'
import plac


class Refused(Exception):
    def __init__(self, name, reason):
        super().__init__(name, reason)


ERRORS = {"missing": FileNotFoundError(2, "no such file"), "refused": Refused("tea", "sold")}


class Jobs:
    thcommands = ["in_a_thread"]
    mpcommands = ["in_a_process"]

    def in_a_thread(self, which):
        yield "begun"
        raise ERRORS[which]

    def in_a_process(self, which):
        yield "begun"
        raise ERRORS[which]


with plac.Interpreter(Jobs()) as interpreter:
    for command in ("in_a_thread", "in_a_process"):
        for which in ERRORS:
            task = interpreter.submit([command, which])
            task.run()
            try:
                print(task.result)
            except Exception as error:
                print(command, type(error).__name__, getattr(error, "errno", "no errno"))
END
seen=$("$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
test "$seen" = "in_a_thread FileNotFoundError None
in_a_thread TypeError no errno
in_a_process FileNotFoundError None
in_a_process TypeError no errno"

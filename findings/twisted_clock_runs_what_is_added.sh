#!/bin/sh
# Twisted 26.10.0: `Clock.advance(0)` also runs the calls that are added meanwhile. A reactor leaves
# them to its next turn. So a function that goes on by `callLater(0, ...)`, to let others run in
# between, is run to its end at once in a test with a Clock.
# Seen with CPython 3.11: Clock [1, 2, 3], reactor [1]
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check Twisted==26.10.0
cat >"$folder/seen.py" <<'END'
from twisted.internet import reactor
from twisted.internet.task import Clock


def started(clock):
    steps = []

    def step(number):
        steps.append(number)
        if number < 3:
            clock.callLater(0, step, number + 1)

    clock.callLater(0, step, 1)
    return steps


clock = Clock()
of_clock = started(clock)
clock.advance(0)
of_reactor = started(reactor)
reactor.runUntilCurrent()
print(f"Clock {of_clock}, reactor {of_reactor}")
END
seen=$("$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
test "$seen" = "Clock [1, 2, 3], reactor [1]"

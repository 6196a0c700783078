#!/bin/sh
# Twisted: a Deferred that had fired can be awaited again and again. One that had not gives its value
# to the first coroutine that waits for it, and None to the next; and None to the first, too, when
# that awaits it once more after another wait. No error says so.
# Seen with Twisted 26.10.0, CPython 3.11: fired [42, 42, 42], unfired [42, None, None]
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check Twisted==26.10.0
cat >"$folder/seen.py" <<'END'
from twisted.internet.defer import Deferred, ensureDeferred


def awaited(fired):
    values = []
    answer, other = Deferred(), Deferred()

    async def first():
        values.append(await answer)
        await other
        values.append(await answer)

    async def second():
        values.append(await answer)

    if fired:
        answer.callback(42)
    ensureDeferred(first())
    ensureDeferred(second())
    if not fired:
        answer.callback(42)
    other.callback(None)
    return values


print(f"fired {awaited(True)}, unfired {awaited(False)}")
END
seen=$("$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
test "$seen" = "fired [42, 42, 42], unfired [42, None, None]"

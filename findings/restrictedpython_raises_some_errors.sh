#!/bin/sh
# RestrictedPython 9.0: `compile_restricted_exec` gives the errors of a source in its result, and
# raises none. But a source that can be parsed and not be compiled, such as a `return` at its top
# level or a name twice among the parameters, raises a SyntaxError. So one who looks at `errors`
# alone misses these.
# Seen with CPython 3.11: 1 error for a missing bracket and for a forbidden name, else SyntaxError
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check RestrictedPython==9.0
cat >"$folder/seen.py" <<'END'
from RestrictedPython import compile_restricted_exec


def told(source):
    try:
        return f"{len(compile_restricted_exec(source).errors)} in the result"
    except SyntaxError as error:
        return f"raised: {error.msg}"


for source in ("f(1", "_x = 1", "return 1", "f(a=1, a=2)", "def f(a, a): pass"):
    print(source, "-", told(source))
END
seen=$("$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
test "$seen" = "f(1 - 1 in the result
_x = 1 - 1 in the result
return 1 - raised: 'return' outside function
f(a=1, a=2) - raised: keyword argument repeated: a
def f(a, a): pass - raised: duplicate argument 'a' in function definition"

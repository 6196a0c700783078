#!/bin/sh
# RestrictedPython 9.0: `safer_getattr`, the guard of attributes that it offers, gives None where
# there is no such attribute: its default is None, and not an error as that of `getattr`. So in
# restricted code a name with a typing error is a value, and a misspelt method "'NoneType' object is
# not callable".
# Seen with CPython 3.11: None where Python raises AttributeError
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check RestrictedPython==9.0
cat >"$folder/seen.py" <<'END'
from RestrictedPython import compile_restricted_eval, safe_builtins


def told(source, evaluate):
    try:
        return repr(evaluate(source))
    except (AttributeError, TypeError) as error:
        return f"{type(error).__name__}: {error}"


def restricted(source):
    return eval(compile_restricted_eval(source).code, names)


names = {"__builtins__": safe_builtins, "_getattr_": safe_builtins["_getattr_"]}
for source in ('"abc".lenght', '"abc".uper()'):
    print(source, "-", told(source, eval), "-", told(source, restricted))
END
seen=$("$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
test "$seen" = "\"abc\".lenght - AttributeError: 'str' object has no attribute 'lenght' - None
\"abc\".uper() - AttributeError: 'str' object has no attribute 'uper' - TypeError: 'NoneType' object is not callable"

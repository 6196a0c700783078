#!/bin/sh
# IPython: `x?` (and Shift-Tab in a notebook) calls x.getdoc(), whatever that is. On an object that
# makes names up, such as a proxy of something remote, that is a call which nobody has asked for.
# Seen with IPython 9.18.1: the method runs, and its text is shown as the docstring
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ipython==9.18.1
cat >"$folder/seen.py" <<'END'
from IPython.core.oinspect import Inspector

called = []


class Proxy:
    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda: called.append(name) or "made up"


shown = Inspector(theme_name="nocolor").info(Proxy(), "x")
print(called, shown["docstring"])
assert called == ["getdoc"]
assert shown["docstring"] == "made up"
END
"$folder/venv/bin/python" "$folder/seen.py"

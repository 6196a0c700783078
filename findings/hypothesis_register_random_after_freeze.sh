#!/bin/sh
# Hypothesis with gc.freeze(): `register_random` warns that a generator "could be garbage collected
# immediately" though a variable of a module holds it, if the program has called `gc.freeze()` after
# that module's import, as servers do before they fork: it asks the collector for the generator's
# referrers, and the collector does not look at what is frozen.
# Seen with hypothesis 6.170.17, CPython 3.11: free none, frozen HypothesisWarning
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check hypothesis==6.170.17
cat >"$folder/seen.py" <<'END'
import gc
import random
import sys
import warnings

from hypothesis import register_random

mine = random.Random(1)
if sys.argv[1] == "frozen":
    gc.freeze()
with warnings.catch_warnings(record=True) as seen:
    warnings.simplefilter("always")
    register_random(mine)
print(sys.argv[1], *[each.category.__name__ for each in seen] or ["none"])
END
seen=$(for each in free frozen; do "$folder/venv/bin/python" "$folder/seen.py" $each; done)
echo "$seen"
test "$seen" = "free none
frozen HypothesisWarning"

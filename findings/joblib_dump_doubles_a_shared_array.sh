#!/bin/sh
# joblib 1.6.0: an array that is twice in what is dumped is written twice, and two arrays are
# loaded: a change of the one is none of the other. Pickle writes it once and keeps them one, and
# joblib does with lists. So a model whose parts share an array has come apart when it is loaded.
# Seen with CPython 3.11, numpy 2.4.6: pickle one array, joblib two, and a file of twice the size
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check joblib==1.6.0 numpy==2.4.6
cat >"$folder/seen.py" <<'END'
import io
import pickle

import joblib
import numpy


def told(name, dump, load):
    sizes = []
    for value in ([array], [array, array], [items, items]):
        file = io.BytesIO()
        dump(value, file)
        sizes.append(len(file.getvalue()))
        file.seek(0)
        loaded = load(file)
        if len(value) == 2:
            print(name, type(loaded[0]).__name__, "shared", loaded[0] is loaded[1])
    print(name, f"file of {sizes[1] / sizes[0]:.1f} times the size")


array = numpy.arange(10_000.0)
items = [1, 2]
told("pickle", pickle.dump, pickle.load)
told("joblib", joblib.dump, joblib.load)
END
seen=$("$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
test "$seen" = "pickle ndarray shared True
pickle list shared True
pickle file of 1.0 times the size
joblib ndarray shared False
joblib list shared True
joblib file of 2.0 times the size"

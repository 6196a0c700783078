#!/bin/sh
# numpy 2.4.6: whether the copy of a read-only array may be written to is up to pickle's protocol:
# from a pickle of protocol 5 it may not, from one of protocol 4, Python's default up to 3.13, it
# may. So it is with `multiprocessing` and `cloudpickle`, which use the default and 5;
# `copy.deepcopy` gives a writable one.
# Seen with CPython 3.11: protocol 4 True, 5 False, deepcopy True
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check numpy==2.4.6 cloudpickle==3.1.3
cat >"$folder/seen.py" <<'END'
import copy
import pickle

import cloudpickle
import numpy

array = numpy.arange(3)
array.flags.writeable = False
for protocol in (4, 5):
    copied = pickle.loads(pickle.dumps(array, protocol))
    print(f"protocol {protocol} writeable {copied.flags.writeable}")
print(f"cloudpickle writeable {pickle.loads(cloudpickle.dumps(array)).flags.writeable}")
print(f"deepcopy writeable {copy.deepcopy(array).flags.writeable}")
END
seen=$("$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
test "$seen" = "protocol 4 writeable True
protocol 5 writeable False
cloudpickle writeable False
deepcopy writeable True"

#!/bin/sh
# pyarrow 26.0.1: a table of no rows loses its dictionaries when it is written, so a frame of no rows
# comes back without its categories and their order. A record batch of no rows keeps them: a table is
# written as its batches, and one of no rows has none. No error says so.
# Seen with CPython 3.11, pandas 3.1.1: batch ['a', 'b'] True, table [] False, feather [] False
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check pyarrow==26.0.1 pandas==3.1.1 numpy==2.4.6
cat >"$folder/seen.py" <<'END'
import io

import pandas
import pyarrow
from pyarrow import feather, ipc

frame = pandas.DataFrame({"x": pandas.Categorical(["a"], categories=["a", "b"], ordered=True)})
none = frame.iloc[:0]


def through_a_stream(written):
    stream = io.BytesIO()
    with ipc.new_stream(stream, written.schema) as writer:
        writer.write(written)
    return ipc.open_stream(stream.getvalue()).read_pandas()


def through_feather(frame):
    file = io.BytesIO()
    feather.write_feather(frame, file)
    return feather.read_feather(file)


def told(frame):
    return f"{frame.x.cat.categories.tolist()} {frame.x.dtype == none.x.dtype}"


print("batch", told(through_a_stream(pyarrow.RecordBatch.from_pandas(none))))
print("table", told(through_a_stream(pyarrow.Table.from_pandas(none))))
print("feather", told(through_feather(none)))
END
seen=$("$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
test "$seen" = "batch ['a', 'b'] True
table [] False
feather [] False"

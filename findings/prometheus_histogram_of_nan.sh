#!/bin/sh
# prometheus_client: a NaN that a Histogram observes is in no bucket, not in that of +Inf either, so
# it is not counted; its sum is NaN from then on, whatever comes later, until the process ends. No
# error says so. A Summary counts it.
# Seen with prometheus_client 0.26.0, CPython 3.11: after NaN and 1, Histogram 1 of nan, Summary 2
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check prometheus_client==0.26.0
cat >"$folder/seen.py" <<'END'
import math

from prometheus_client import CollectorRegistry, Histogram, Summary

for kind in (Histogram, Summary):
    registry = CollectorRegistry()
    metric = kind("taken", "seconds", registry=registry)
    metric.observe(math.nan)
    metric.observe(1)
    count, total = (registry.get_sample_value(f"taken_{name}") for name in ("count", "sum"))
    print(kind.__name__, "count", count, "sum", total)
END
seen=$("$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
test "$seen" = "Histogram count 1.0 sum nan
Summary count 2.0 sum nan"

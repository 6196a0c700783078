#!/bin/sh
# prometheus_client: a metric's label may be named trace.id: it is written in quotes, or with an
# underscore for those that ask for that. An exemplar's label of that name is taken too, and written
# as it is, whatever was asked for: the library's own parser of OpenMetrics then refuses the whole
# text. One call of `inc()` is enough.
# Seen with prometheus_client 0.26.0, CPython 3.11: label read, exemplar ValueError
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check prometheus_client==0.26.0
cat >"$folder/seen.py" <<'END'
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families


def read(registry, escaping):
    lines = generate_latest(registry, escaping).decode()
    try:
        return len(list(text_string_to_metric_families(lines)))
    except ValueError as error:
        return type(error).__name__


for escaping in ("allow-utf-8", "underscores"):
    for name in ("trace_id", "trace.id"):
        label, exemplar = CollectorRegistry(), CollectorRegistry()
        Counter("asked", "often", [name], registry=label).labels("5").inc()
        Counter("asked", "often", registry=exemplar).inc(1, {name: "5"})
        print(escaping, name, read(label, escaping), read(exemplar, escaping))
END
seen=$("$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
test "$seen" = "allow-utf-8 trace_id 1 1
allow-utf-8 trace.id 1 ValueError
underscores trace_id 1 1
underscores trace.id 1 ValueError"

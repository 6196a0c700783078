#!/bin/sh
# Evennia: its setting CONN_MAX_AGE, seven hours, is read by nobody. Django knows it as a key of
# each database in DATABASES, where Evennia does not put it. So it is 0 there: whatever calls
# `close_old_connections`, as each request to the website does, closes the connection.
# Seen with Evennia 6.1.0, CPython 3.12, and 5.0.1, CPython 3.11: setting 25200, database 0
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
packages="evennia==6.1.0 Django==6.0.10"
for python in ${PYTHON-python3.13 python3.12 $HOME/.pyenv/versions/3.1[23].*/bin/python}; do
    "$python" -c 0 2>/dev/null && break
done
if ! "$python" -c "import sys; sys.exit(sys.version_info < (3, 12))" 2>/dev/null; then
    python=${PYTHON:-python3} packages="evennia==5.0.1 Django==5.2.19"
fi
echo "with $packages, $("$python" --version)"
"$python" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check $packages
PATH=$folder/venv/bin:$PATH
cd "$folder"
evennia --init game >/dev/null
cd game
cat >"$folder/seen.py" <<'END'
import django

django.setup()

from django.conf import settings
from django.db import connection

print("setting", settings.CONN_MAX_AGE, "database", connection.settings_dict["CONN_MAX_AGE"])
END
seen=$(DJANGO_SETTINGS_MODULE=server.conf.settings PYTHONPATH=. python "$folder/seen.py" 2>/dev/null)
echo "$seen"
test "$seen" = "setting 25200 database 0"

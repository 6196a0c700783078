#!/bin/sh
# Evennia: an object that was read once is never read again: `refresh_from_db()` raises nothing and
# changes nothing, since what it asks the database for is found in Evennia's cache, and is the
# object itself. So `select_for_update().get()` locks a row and gives what was known before.
# `flush_cached_instance` has `force=False` for a polite way, which raises a TypeError: it calls a
# hook of the object's on the class.
# Seen with Evennia 6.1.0 and Django 6.0.10, 5.0.1 and 5.2.19: database new, object old
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
evennia migrate >/dev/null 2>&1
cat >"$folder/seen.py" <<'END'
import django

django.setup()

import evennia

evennia._init()

from django.db import transaction
from evennia.objects.models import ObjectDB

box = ObjectDB(db_key="old")
box.save()
rows = ObjectDB.objects.filter(pk=box.pk)
rows.update(db_key="new")
print("database", *rows.values_list("db_key", flat=True))
box.refresh_from_db()
print("refreshed", box.db_key)
with transaction.atomic():
    print("locked", rows.select_for_update().get().db_key)
try:
    ObjectDB.flush_cached_instance(box, force=False)
except TypeError as error:
    print("flushed", type(error).__name__)
END
seen=$(DJANGO_SETTINGS_MODULE=server.conf.settings PYTHONPATH=. python "$folder/seen.py" 2>/dev/null)
echo "$seen"
test "$seen" = "database new
refreshed old
locked old
flushed TypeError"

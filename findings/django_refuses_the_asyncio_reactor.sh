#!/bin/sh
# Django with Twisted: under the asyncio reactor a query in the reactor's thread is refused, with
# "You cannot call this from an async context", in a plain function too: Django asks whether a loop
# runs in the thread. Under any other reactor it is answered; so a program with another reactor has
# other errors.
# Seen with Django 5.2.19, Twisted 26.10.0, CPython 3.11: asyncio reactor refused, another answered
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check Django==5.2.19 Twisted==26.10.0
cat >"$folder/seen.py" <<'END'
import sys

import django
from django.conf import settings
from django.core.exceptions import SynchronousOnlyOperation
from twisted.internet import asyncioreactor, selectreactor

{
    "AsyncioSelectorReactor": asyncioreactor.install,
    "SelectReactor": selectreactor.install,
}[sys.argv[1]]()

from django.db import connection
from twisted.internet import reactor

database = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
settings.configure(DATABASES={"default": database})
django.setup()


def query():
    with connection.cursor() as cursor:
        return cursor.execute("select 1").fetchone()[0]


def told():
    try:
        print(sys.argv[1], query())
    except SynchronousOnlyOperation as error:
        print(sys.argv[1], type(error).__name__)
    reactor.stop()


reactor.callLater(0, told)
reactor.run()
END
seen=$(for each in AsyncioSelectorReactor SelectReactor; do "$folder/venv/bin/python" "$folder/seen.py" $each; done)
echo "$seen"
test "$seen" = "AsyncioSelectorReactor SynchronousOnlyOperation
SelectReactor 1"

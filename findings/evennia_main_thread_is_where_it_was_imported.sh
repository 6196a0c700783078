#!/bin/sh
# Evennia: it asks for its thread once, when it is imported. So `run_in_main_thread`, called in
# another thread as it is meant to be, runs its function there, and not in the main thread. And in a
# program that has imported Evennia in a thread, `save()` in any thread leaves it to the reactor and
# gives an object no id.
# Seen with Evennia 6.1.0, CPython 3.12, and 5.0.1, CPython 3.11: the worker ran it, then id None
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
import sys
import threading

import django
from twisted.internet import reactor


def set_up():
    django.setup()
    import evennia

    evennia._init()


def in_a_thread(function):
    thread = threading.Thread(target=function, name="worker")
    thread.start()
    thread.join()


def where():
    ran_in = run_in_main_thread(threading.current_thread)
    print("imported in the main thread: run in it", ran_in is threading.main_thread())
    reactor.callFromThread(reactor.stop)


if sys.argv[1] == "MainThread":
    set_up()
    from evennia.utils.utils import run_in_main_thread

    reactor.callWhenRunning(reactor.callInThread, where)
    reactor.run()
else:
    in_a_thread(set_up)
    from evennia.objects.models import ObjectDB

    box = ObjectDB(db_key="box")
    box.save()
    print("imported in a thread: id", box.pk)
END
seen=$(for each in MainThread thread; do
    DJANGO_SETTINGS_MODULE=server.conf.settings PYTHONPATH=. python "$folder/seen.py" $each 2>/dev/null | grep -v Gametime
done)
echo "$seen"
test "$seen" = "imported in the main thread: run in it False
imported in a thread: id None"

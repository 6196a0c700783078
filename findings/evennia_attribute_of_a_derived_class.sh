#!/bin/sh
# Evennia: what is put into an attribute and is of a class derived from a builtin one is built again
# from its items. So a Counter becomes one of pairs, without any error; a text that is a member of a
# StrEnum (or of Django's TextChoices) is refused, and Evennia's own ANSIString is taken and cannot
# be read again.
# Seen with Evennia 6.1.0, CPython 3.12, and 5.0.1, CPython 3.11: 0 of 2 coins, ValueError, IndexError
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
import enum
from collections import Counter

import django

django.setup()

import evennia

evennia._init()

from evennia.objects.models import ObjectDB
from evennia.utils.ansi import ANSIString


class Colour(enum.StrEnum):
    RED = "red"


purse = ObjectDB(db_key="purse")
purse.save()
coins = Counter(["gold", "gold", "silver"])
purse.db.coins = coins
print("Counter", coins["gold"], "then", purse.db.coins["gold"])
for text in (Colour.RED, ANSIString("|rred|n")):
    try:
        purse.db.text = text
        print(len(purse.db.text))
    except (ValueError, IndexError) as error:
        print(type(text).__name__, type(error).__name__)
END
seen=$(DJANGO_SETTINGS_MODULE=server.conf.settings PYTHONPATH=. python "$folder/seen.py" 2>/dev/null)
echo "$seen"
test "$seen" = "Counter 2 then 0
Colour ValueError
ANSIString IndexError"

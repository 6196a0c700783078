#!/bin/sh
# zope.interface 8.7: of a method in an interface, keyword-only parameters are forgotten: they are
# in no signature, and `verifyObject` takes an object whose method lacks them, or whose method
# demands one that the interface does not know.
# Seen with CPython 3.11: the signature is "(item)", both objects are verified
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check zope.interface==8.7
cat >"$folder/seen.py" <<'END'
from zope.interface import Interface, implementer
from zope.interface.verify import verifyObject


class IShop(Interface):
    def put(item, *, count=1):
        """Put an item."""


@implementer(IShop)
class Lacks:
    def put(self, item):
        """Put an item."""


@implementer(IShop)
class Demands:
    def put(self, item, *, where):
        """Put an item."""


print(
    IShop["put"].getSignatureString(),
    verifyObject(IShop, Lacks()),
    verifyObject(IShop, Demands()),
)
END
seen=$("$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
test "$seen" = "(item) True True"

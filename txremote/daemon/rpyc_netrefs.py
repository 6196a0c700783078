"""
Hosted services that ask ``isinstance(x, rpyc.BaseNetref)``, to copy a client's objects.

Hosted by twistd, such a service has RPyC's modules but gets netrefs of ours. This module makes them
instances of RPyC's class; else the service would keep references instead of making copies.
"""

from __future__ import annotations

import sys
from typing import Any

from txremote.refs.netref import BaseNetref


def make_known() -> None:
    """
    Make our netrefs instances of RPyC's ``BaseNetref``, if RPyC is loaded.

    RPyC's own check with a remote class (rpyc 6.0.2 rpyc.core.netref.BaseNetref.__instancecheck__)
    asks that too, to compare objects of one connection; ours are compared as before.
    """
    module: Any = sys.modules.get("rpyc.core.netref")
    base = getattr(module, "BaseNetref", None)
    if base is None or base is BaseNetref or "__instancecheck__" in vars(type(base)):
        return
    of_remote_class = base.__instancecheck__

    def is_netref(cls: type, found: object) -> bool:
        if type.__instancecheck__(cls, found):
            return True
        return cls is base and issubclass(type(found), BaseNetref)

    def is_instance(self: Any, found: object) -> Any:
        if issubclass(type(found), BaseNetref) and self.____id_pack__[2] == 0:
            return isinstance(found, type(self).__dict__["__class__"].instance)
        return of_remote_class(self, found)

    kind: Any = type(base)
    kind.__instancecheck__ = is_netref
    base.__instancecheck__ = is_instance

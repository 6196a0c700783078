"""
Modules that are not here, and are imported by code that is not run: desktop toolkits, drivers.
"""

import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType


class Kind(type):
    """Gives a class for every attribute of a class."""

    def __getattr__(cls, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Kind(name, (Anything,), {})


class Anything(metaclass=Kind):
    """Is made of anything, has every attribute; gives back a function that it decorates."""

    def __init__(self, *_args, **_options):
        pass

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Anything()

    def __call__(self, found=None, *_args, **_options):
        return found if callable(found) else Anything()

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        pass


class Absent(ModuleType):
    """A module that has every name."""

    __path__ = ()

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Kind(name, (Anything,), {})


class Finder(MetaPathFinder, Loader):
    """Finds modules of some names."""

    def __init__(self, roots):
        self.roots = roots

    def find_spec(self, fullname, path=None, target=None):
        if fullname.partition(".")[0] in self.roots:
            return ModuleSpec(fullname, self, is_package=True)
        return None

    def create_module(self, spec):
        return Absent(spec.name)

    def exec_module(self, module):
        pass


def stand_in(*roots):
    """Stand in for packages of these names."""
    sys.meta_path.insert(0, Finder(roots))


def without_its_face(name):
    """Let a package's modules be imported without what its ``__init__`` imports: its windows."""
    from importlib.util import find_spec

    if name not in sys.modules:
        spec = find_spec(name)
        bare = ModuleType(name)
        bare.__spec__, bare.__path__ = spec, spec.submodule_search_locations
        sys.modules[name] = bare

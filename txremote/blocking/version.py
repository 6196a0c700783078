"""The version of RPyC whose names and behaviour these are, as programs ask for it."""

version = (6, 0, 2)
__version__ = ".".join(map(str, version))

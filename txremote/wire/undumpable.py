"""
The error for what brine cannot carry.

It has a file of its own, which stays interpreted: mypyc compiles no subclass of an exception.
"""

from __future__ import annotations


class Undumpable(TypeError):
    """A value has a part that brine cannot carry, so it goes by reference."""

"""
plac's parser, or a sentence that says how to get it.
"""

from __future__ import annotations

try:
    import plac_core  # type: ignore[import-untyped]
except ImportError as problem:
    raise ImportError(
        "command containers are read by plac's parser: pip install 'txremote[console]'"
    ) from problem

__all__ = ["plac_core"]

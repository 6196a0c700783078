"""
The bytes of the file.
"""

from pathlib import Path

import idc


def get_byte(at):
    return Path(idc.FILE).read_bytes()[at]


def get_bytes(at, count):
    return Path(idc.FILE).read_bytes()[at : at + count]


def say(text):
    """Print something, as scripts do."""
    print(text)

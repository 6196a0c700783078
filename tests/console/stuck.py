"""
A command that does not yield.

Not a test file.
"""

import time


class Stuck:
    thcommands = ["sleep"]

    def sleep(self):
        "sleep for an hour"
        time.sleep(3600)
        yield

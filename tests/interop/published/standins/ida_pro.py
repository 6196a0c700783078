import os


def qexit(status):
    """End it, as the real one does."""
    os._exit(status)

"""
RPyC's own tutorial code, run with its import lines changed.
"""

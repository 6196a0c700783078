"""
What idat64 was started with.
"""

ARGV = []
FILE = ""

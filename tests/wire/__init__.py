"""
Tests of the codec room: bytes in, values out, and nothing else anywhere near.
"""

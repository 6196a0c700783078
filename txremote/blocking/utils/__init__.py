"""
RPyC's ``rpyc.utils``, as far as it is here.
"""

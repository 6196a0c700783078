"""
In place of a database's client, which is asked for nothing here.
"""

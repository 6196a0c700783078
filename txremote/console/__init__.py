"""
Command containers as plac writes them, and what reads their command lines.
"""

"""
Background tasks, as plac has them: commands that run while their user goes on.

``task`` is one of them, ``kinds`` and ``mptask`` run it, ``keeper`` has those of a program.
"""

"""
Limited sources: `txremote.limited_exec`, for people who write code and are not trusted.

``execution``   `limited_exec`, and `LimitedRunner`: which sources run, and which wait
``source``      a source with its limits, and its result
``source_run``  one run of a source: nothing that its process says is believed
``calls``       the functions of the program that a source calls
``process``     the process, as the operating system has it
``sandbox``     the command that starts it: bubblewrap, and the few files that it sees
``messages``    the messages of the two
``inside``      the program of the process
``policy``      names and statements that a source may have, by RestrictedPython's rules

A source meets four walls, and each stands when those before it have fallen: RestrictedPython and a
closed set of names; the limits of its process (`resource`); the sandbox; and a pipe on which
nothing can be said but text, values, and calls of declared functions.
"""

"""
The commands of ``txremote``, a file each: its options, and what it runs.

`txremote.cli` has the table of them. A file is imported when one of its commands is typed. Modules
that only some of its commands need, such as textual, plac or the daemon, are imported when these
run. `txremote.running` has a reactor and a connection for those that need them.

``call``  ``txremote call``: a remote method from a command line
``command``  `Command`: a row of the table
``completion``  ``txremote completion``: a script for a shell
``health``  ``txremote health``: whether a server is ready
``local``  ``demo``, ``check`` and ``stubs``, which need no server
``passwd``  ``txremote passwd``: a user's line in a file of passwords
``operating``  ``top`` and ``log-level``, for operators
``prompts``  ``shell`` and ``console``
``registries``  ``registry`` and ``find``
``scripts``  a command that needs a server, without a reactor
``tasks``  ``txremote tasks``: the tasks of a server
"""

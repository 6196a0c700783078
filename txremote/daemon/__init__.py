"""
The parts of ``twistd txremote``, from the words of a command line to services.

Options (``tap``) and files (``configfile``) become a ``plan``; ``resolve`` makes
objects of it with ``lookup`` and ``addresses``, and collects ``problems``; ``hosting`` serves them.

``adminsite``  where the admin site may listen, and its token
``advice``  what an operator should know of a server, though it can be started
``check``  ``txremote check``: all problems of a file
``ports``  whether a place to listen can be had: it is tried, and given back
``registering``  the servers of a process in a registry, while it is ready
``rpyc_defaults``  switches that a hosted module sets for its whole program
``rpyc_netrefs``  ``isinstance(x, rpyc.BaseNetref)`` in hosted modules
``stopping``  the order in which all of a process stops
``workers``  several processes that serve on the same ports
"""

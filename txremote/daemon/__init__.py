"""
What ``twistd txremote`` is made of, from the words of a command line to services.

``tap``         the options of the command line
``configfile``  the TOML file of ``--config``
``plan``        the whole plan, as data; ``settings`` what can be set, ``problems`` what is wrong
``lookup``      services, containers and checkers by name
``addresses``   endpoints, with TLS
``resolve``     a plan made into objects, with every problem told
``hosting``     objects made into Twisted's services
``check``       ``txremote check``
``jsonlog``     the log as JSON
``rpyc_defaults``, ``rpyc_netrefs``  what modules written for RPyC expect of their host
"""

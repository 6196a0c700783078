"""
What ``twistd txremote`` is made of, from the words of a command line to services.

``tap``         the options of the command line
``configfile``  the TOML file of ``--config``
``settings``    the values of options and keys
``problems``    sentences about mistakes, and where those were made
``plan``        the whole plan, as data
``lookup``      services, containers and checkers by name
``addresses``   endpoints, with TLS
``resolve``     a plan made into objects, with all problems
``hosting``     objects made into Twisted's services
``check``       ``txremote check``
``jsonlog``     the log as JSON
``rpyc_defaults``, ``rpyc_netrefs``  RPyC's defaults and netrefs, for modules written for RPyC
"""
